// npm run bench [-- starts|exchanges|sessions|replicas|growth|rotation|verifier|sidecar|revocation|revoked|privilege|ledger|console|policies|anomalies|memory|scan] [--rounds N] [--seconds N]
// [--tasks N] [--entries N] [--sessions N]
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

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "5" },
    tasks: { type: "string", default: "100000" },
    entries: { type: "string", default: "10000000" },
    sessions: { type: "string", default: "10000" },
  },
})

const settings: Settings = {
  rounds: Number(values.rounds),
  seconds: Number(values.seconds),
  tasks: Number(values.tasks),
  entries: Number(values.entries),
  sessions: Number(values.sessions),
}

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

const wanted = positionals.length > 0 ? positionals : Object.keys(BENCHES)
const unknown = wanted.filter((name) => !(name in BENCHES))
if (unknown.length > 0) {
  console.error(`unknown: ${unknown.join(", ")}; there are ${Object.keys(BENCHES).join(", ")}`)
  process.exit(2)
}

pinLoad()
let within = true
for (const name of wanted) within = ((await BENCHES[name]?.(settings)) ?? false) && within
process.exit(within ? 0 : 1)
