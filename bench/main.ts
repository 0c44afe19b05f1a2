// `npm run bench`, which `-- --help` explains.
// Every figure that the documents claim comes from here: ratios of one run, medians of interleaved rounds, the limit
// beside each. Exit code 1 when a limit is missed.
import { parseArgs } from "node:util"
import { benchAnomalies } from "./anomalies.ts"
import { benchConsole } from "./console.ts"
import { benchExchanges } from "./exchanges.ts"
import { benchGrowth } from "./growth.ts"
import { benchLeastPrivilege } from "./least-privilege.ts"
import { benchLedger } from "./ledger.ts"
import { pinLoad } from "./machine.ts"
import { benchMemory } from "./memory.ts"
import { benchPolicies } from "./policies.ts"
import { benchReplicas } from "./replicas.ts"
import { benchRevocation } from "./revocation.ts"
import { benchRevoked } from "./revoked.ts"
import { benchRotation } from "./rotation.ts"
import { benchScan } from "./scan.ts"
import { benchSessions } from "./sessions.ts"
import { benchSidecar } from "./sidecar.ts"
import { benchStarts } from "./starts.ts"
import type { Settings } from "./table.ts"
import { benchVerifier } from "./verifier.ts"

const BENCHES: Readonly<Record<string, (settings: Settings) => Promise<boolean>>> = {
  starts: benchStarts,
  exchanges: benchExchanges,
  sessions: benchSessions,
  replicas: benchReplicas,
  growth: benchGrowth,
  rotation: benchRotation,
  verifier: benchVerifier,
  sidecar: benchSidecar,
  revocation: benchRevocation,
  revoked: benchRevoked,
  privilege: benchLeastPrivilege,
  ledger: benchLedger,
  console: benchConsole,
  policies: benchPolicies,
  anomalies: benchAnomalies,
  memory: benchMemory,
  scan: benchScan,
}

const USAGE = `npm run bench -- [name ...] [option ...]

  ${Object.keys(BENCHES).join(", ")}: all of them where none is named, which takes hours

  --rounds N      interleaved rounds, of which figures are medians (5)
  --seconds N     of load in each (5)
  --entries N     in a large ledger (10000000: gigabytes, and minutes to fill)
  --tasks N       started where memory is watched (100000)
  --sessions N    of agents (10000)

Exit code 1: a limit is missed.`

function refuseUse(why: string): never {
  console.error(`${why}\n\n${USAGE}`)
  process.exit(2)
}

function readArguments() {
  const number = (byDefault: string) => ({ type: "string", default: byDefault }) as const
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        rounds: number("5"),
        seconds: number("5"),
        tasks: number("100000"),
        entries: number("10000000"),
        sessions: number("10000"),
        help: { type: "boolean", short: "h", default: false },
      },
    })
  } catch (error) {
    return refuseUse(error instanceof Error ? error.message : String(error))
  }
}

const { values, positionals } = readArguments()
if (values.help) {
  console.log(USAGE)
  process.exit(0)
}
const numberOf = (name: keyof Settings): number => {
  const number = Number(values[name])
  return Number.isSafeInteger(number) && number > 0 ? number : refuseUse(`--${name} is a whole number`)
}
const settings: Settings = {
  rounds: numberOf("rounds"),
  seconds: numberOf("seconds"),
  tasks: numberOf("tasks"),
  entries: numberOf("entries"),
  sessions: numberOf("sessions"),
}

const wanted = positionals.length > 0 ? positionals : Object.keys(BENCHES)
const unknown = wanted.filter((name) => !(name in BENCHES))
if (unknown.length > 0) refuseUse(`there is no bench ${unknown.join(", ")}`)

pinLoad()
let within = true
for (const name of wanted) within = ((await BENCHES[name]?.(settings)) ?? false) && within
process.exit(within ? 0 : 1)
