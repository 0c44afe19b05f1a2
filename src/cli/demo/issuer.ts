// A process of the demo: the issuer, by the very command that an operator runs. It ends with its stage.
import { run } from "../program.ts"

process.once("disconnect", () => process.kill(process.pid, "SIGTERM"))
process.exitCode = await run(["serve", ...process.argv.slice(2)])
process.disconnect()
