// `npm run bench`, which `-- --help` explains.
// Every figure that the documents claim comes from here: ratios of one run, medians of interleaved rounds, the limit
// beside each. Exit code 1 when a limit is missed.
import { readLongRun } from "../scripts/long-run.ts"
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

const { names, numbers } = readLongRun(USAGE, Object.keys(BENCHES), {
  rounds: 5,
  seconds: 5,
  tasks: 100_000,
  entries: 10_000_000,
  sessions: 10_000,
})

pinLoad()
let within = true
for (const name of names) within = ((await BENCHES[name]?.(numbers)) ?? false) && within
process.exit(within ? 0 : 1)
