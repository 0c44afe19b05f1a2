// A process of the demo: the issuer, by the very command that an operator runs. It reads its code while the others start,
// waits to be told its arguments, and ends with its stage.
import { run } from "../program.ts"
import "../../issuer/issuer.ts"

process.once("disconnect", () => process.kill(process.pid, "SIGTERM"))
process.once("message", async (args: readonly string[]) => {
  process.exitCode = await run(["serve", ...args])
  process.disconnect()
})
