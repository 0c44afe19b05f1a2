// How the tests run, and in which order. CI has two cores; many tests wait for a process or an interval, so a third worker
// uses what two leave idle. The longest files begin first, or one of them would end alone.
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"
import { BaseSequencer, type TestSpecification } from "vitest/node"
import { suitesOnBothEngines } from "./test/support/engines.ts"

/** By what each took; the rest takes some seconds at most. */
const LONGEST = [
  "verifier/workers",
  "database/postgres-faults",
  "flows/replicas",
  "cli/serve",
  "cli/serve-policies",
  "flows/policy-change",
  "ledger/copy",
  "cli/guard-server",
  "cli/program",
  "flows/demo",
  "console/browser",
  "flows/command-line",
  "guard/adapters",
  "flows/readme",
  "flows/workers-kill",
  "flows/guard-kill",
  "attacks/l-shipping",
  "issuer/lifecycle",
  "cli/guard",
  "database/lock",
  "verifier/direct",
  "attacks/i-crash",
  "database/postgres-network",
  "attacks/g-races",
  "task/status-list",
]

/** Their clock leaps while real processes work: beside everything else, what a busy machine delays would be hours to them. */
const LEAPING = ["asking", "collecting", "renewal", "sub-agent", "three-hours"].map(
  (name) => `test/flows/${name}.test.ts`,
)

const placeOf = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const gone = LONGEST.filter((name) => !existsSync(placeOf(`test/${name}.test.ts`)))
if (gone.length > 0) throw new Error(`vitest.config.ts: LONGEST names ${gone.join(", ")}, which is not there`)

const rank = ({ moduleId }: TestSpecification): number => {
  const at = LONGEST.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`))
  return at < 0 ? LONGEST.length : at
}

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]) {
    return (await super.sort(files)).sort((one, other) => rank(one) - rank(other))
  }
}

export default defineConfig({
  test: {
    environment: "node",
    pool: "forks",
    maxWorkers: 3,
    // A process runs one file after the other and loads what they share once, which is a third of the whole. So no file may
    // leave the process changed: environment, timers, listeners.
    isolate: false,
    sequence: { sequencer: LongestFirst },
    // Hundreds of processes and threads load the same sources: each is compiled once, and again when its bytes change.
    env: { NODE_COMPILE_CACHE: placeOf("node_modules/.compile-cache") },
    testTimeout: 20_000,
    hookTimeout: 60_000,
    reporters: ["default"],
    globalSetup: ["test/support/postgres-setup.ts"],
    projects: [
      { extends: true, test: { name: "sqlite", include: ["test/**/*.test.ts"], exclude: LEAPING } },
      {
        extends: true,
        test: { name: "leaping", include: LEAPING, maxWorkers: 2, sequence: { groupOrder: 1 } },
      },
      {
        extends: true,
        test: {
          name: "postgres",
          include: suitesOnBothEngines(),
          testTimeout: 40_000,
          env: { TASKMINT_TEST_ENGINE: "postgres" },
        },
      },
    ],
  },
})
