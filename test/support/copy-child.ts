// A copy of a ledger in a process of its own, to be killed. Its arguments are where from and where to; it tells every part
// that it has copied, and in the end what it answered.
import { copyLedger } from "../../src/ledger/copy.ts"

const [from = "", to = ""] = process.argv.slice(2)
const copied = await copyLedger({ from, to, progress: () => process.send?.("part") })
process.send?.(copied)
process.disconnect()
