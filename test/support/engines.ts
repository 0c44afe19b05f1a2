// Which suites run on PostgreSQL too: all that reach the place where tests take a database from (engine.ts), but for those
// named here. test/engines.test.ts holds that nobody opens a database past it without a line here.
import { readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { listSources, ROOT } from "./source.ts"

const SEAM = "test/support/engine.ts"

/** What runs on one engine only, and why. */
export const ON_ONE_ENGINE: Readonly<Record<string, string>> = {
  "test/attacks/h-archive.test.ts": "changes an SQLite file as its owner could",
  "test/attacks/h-history.test.ts": "changes an SQLite file as its owner could",
  "test/attacks/h-ledger.test.ts": "changes an SQLite file as its owner could",
  "test/attacks/h-reports.test.ts": "changes an SQLite file as its owner could",
  "test/attacks/i-backup.test.ts": "copies an SQLite file; a server is copied with its own tools",
  "test/attacks/i-crash.test.ts": "makes system calls of SQLite's writer fail; a server's are its own affair",
  "test/attacks/i-damage.test.ts": "damages an SQLite file",
  "test/attacks/i-disk.test.ts": "is about the disk below an SQLite file",
  "test/attacks/i-migration.test.ts": "kills migrations of either engine",
  "test/attacks/i-overload.test.ts": "is about who waits at the issuer's door, before any database",
  "test/attacks/i-postgres.test.ts": "loses the answers of a server",
  "test/attacks/i-serve.test.ts": "makes an fsync of SQLite's log fail",
  "test/attacks/k-answers.test.ts": "is about what answers say of themselves, whatever the database holds",
  "test/attacks/k-equal-work.test.ts": "counts statements before they are sent to either",
  "test/attacks/k-memory.test.ts": "is about a process's memory, whatever its database",
  "test/attacks/k-metrics.test.ts": "is about what is told of requests",
  "test/attacks/k-paths.test.ts": "is about paths over the wire, before any database",
  "test/attacks/l-shipping.test.ts": "is about the spool's side; test/task/use is the issuer's, on both",
  "test/attacks/k-console-sign-in.test.ts":
    "is about browsers; test/issuer/console-sessions is what it writes, on both",
  "test/audit/anomaly-action.test.ts":
    "is about what becomes of what was found; anomaly-kinds finds it on both",
  "test/audit/replay.test.ts": "judges entries apart from any database",
  "test/audit/replay-judged.test.ts": "judges entries apart from any database",
  "test/audit/statements.test.ts": "opens both, to compare them",
  "test/bench/ledger.test.ts": "is about what a benchmark prints; it measures both engines by itself",
  "test/cli/keys.test.ts": "is about a command; test/keys is what it asks for, on both",
  "test/cli/ledger-archive.test.ts": "is about a command; test/issuer/archive is what it asks for, on both",
  "test/cli/ledger-follow.test.ts": "restores an SQLite file; what is served is held on both elsewhere",
  "test/cli/ledger-verify.test.ts": "verifies an SQLite file, and tiles",
  "test/cli/management.test.ts": "is about a port; test/issuer/telemetry is what is measured, on both",
  "test/cli/output.test.ts": "is about standard output",
  "test/cli/policy-narrow.test.ts": "reads files, and opens no database",
  "test/cli/revoke.test.ts": "is about a command; test/task/revocation is what it asks for, on both",
  "test/cli/policy-replay.test.ts": "reads a file of entries",
  "test/cli/serve.test.ts":
    "is about settings and an SQLite file's modes and locks; serve-postgres is the other half",
  "test/cli/serve-console.test.ts": "is about settings, and starts nothing",
  "test/cli/serve-policies.test.ts": "is about a log; test/policy/in-force is what it tells, on both",
  "test/cli/serve-postgres.test.ts": "is about the address of a server",
  "test/cli/serve-webhook.test.ts": "is about settings, and starts nothing",
  "test/cli/workload.test.ts":
    "is about what commands send; what they are answered is held on both elsewhere",
  "test/console/browser.test.ts":
    "is about what a browser makes of pages; test/issuer/console-* read them on both",
  "test/database/durability.test.ts": "counts the system calls of SQLite's writer",
  "test/database/postgres.test.ts": "is the contract on PostgreSQL",
  "test/database/postgres-faults.test.ts": "ends and cuts connections to a server of its own",
  "test/database/postgres-network.test.ts": "puts a bad network before a server",
  "test/database/postgres-replicas.test.ts": "has several engines on one database, which a file can't have",
  "test/database/postgres-standby.test.ts": "has a server of its own wait for a standby",
  "test/database/sqlite.test.ts": "is the contract on SQLite",
  "test/database/row-order.test.ts": "reads statements, and the keys of tables",
  "test/database/statements.test.ts": "opens both, to compare them",
  "test/database/tables.test.ts": "opens both, to compare them",
  "test/examples/container.test.ts": "reads settings and starts nothing",
  "test/examples/systemd.test.ts": "reads settings and starts nothing",
  "test/flows/asking.test.ts": "is about the agent's side; test/task/approval is the issuer's, on both",
  "test/flows/collecting.test.ts": "is about the agent's side; test/task/collect is the issuer's, on both",
  "test/flows/command-line.test.ts": "is about commands; what they ask for is held on both",
  "test/flows/demo.test.ts": "the demo brings its own SQLite file",
  "test/flows/exposure.test.ts": "is about commands; test/issuer/exposures is the issuer's, on both",
  "test/flows/fork.test.ts": "copies an SQLite file",
  "test/flows/http.test.ts":
    "runs a page's steps as they are printed; the endpoints are held on both elsewhere",
  "test/flows/incident.test.ts": "runs a page's commands as they are printed; what they ask is held on both",
  "test/flows/mcp.test.ts": "runs a page's commands as they are printed, with the SQLite file of `init`",
  "test/flows/move.test.ts": "moves from a file to a server, so it has both",
  "test/flows/package.test.ts": "is about what is published; no database is made",
  "test/flows/policy-change.test.ts": "is about policy files; what the issuer does in it is held on both",
  "test/flows/posture.test.ts":
    "is about verifiers and a command; test/issuer/posture is the issuer's, on both",
  "test/flows/readme.test.ts": "runs a page's commands as they are printed, with the SQLite file of `init`",
  "test/flows/renewal.test.ts":
    "is about the agent's side, on a clock that leaps; test/issuer/exchange is on both",
  "test/flows/replicas.test.ts": "has several issuers on one database, which a file can't have",
  "test/flows/rollback.test.ts": "restores an SQLite file; test/task/rollback is the rest, on both",
  "test/flows/rotation-leader.test.ts": "has several issuers on one database, which a file can't have",
  "test/flows/session.test.ts": "is about a command and its proxy",
  "test/flows/sidecar.test.ts": "has a stub for an issuer",
  "test/flows/signer.test.ts": "runs an example as it is printed, which opens no database",
  "test/flows/sub-agent.test.ts": "is about the agent's side; test/issuer/exchange is the issuer's, on both",
  "test/flows/webhook.test.ts": "is about the receiver's side; test/issuer/webhooks is the issuer's, on both",
  "test/ledger/copy.test.ts": "copies from a file to both",
  "test/ledger/copy-refused.test.ts": "copies from a file to both",
  "test/ledger/search-copy.test.ts": "asks a file; what it is held against is held on both",
  "test/flows/three-hours.test.ts":
    "is a long story about all sides; what the issuer does in it is held on both elsewhere",
  "test/flows/workers-kill.test.ts":
    "is about the spool that workers share; guard-kill kills guard and issuer on both",
  "test/issuer/console-deciding.test.ts":
    "is about who decides; test/task/approval is what it writes, on both",
  "test/issuer/console-set-up.test.ts":
    "is about settings; test/issuer/console-sessions is what it writes, on both",
  "test/issuer/console-sign-in.test.ts":
    "is about a provider; test/issuer/console-sessions is what it writes, on both",
  "test/issuer/feed-stream.test.ts": "is about streams; test/task/feed is what they are told, on both",
  "test/issuer/replicas.test.ts": "has several issuers on one database, which a file can't have",
  "test/issuer/sign-in.test.ts": "is about a provider's tokens; what it writes other suites hold on both",
  "test/issuer/signed-in-no-more.test.ts":
    "is about a provider's tokens; what it writes other suites hold on both",
  "test/issuer/webhook-replicas.test.ts": "has two issuers on one database, which a file can't have",
  "test/policy/narrow-touched.test.ts": "reads entries apart from any database",
  "test/keys/upgrade.test.ts": "opens a file of a version that knew SQLite only",
}

const IMPORTED = /(?:from|import\() ?"(\.{1,2}\/[^"]+\.ts)"/g

/** The suites that run a second time. */
export function suitesOnBothEngines(): string[] {
  return reaching(SEAM).filter((path) => !(path in ON_ONE_ENGINE))
}

/** Every suite that imports the file, or something that does. */
function reaching(target: string): string[] {
  const imports = new Map(listSources("test").map((path) => [path, importsOf(path)]))
  const reached = new Set([target])
  for (let before = 0; before < reached.size; ) {
    before = reached.size
    for (const [path, imported] of imports) if (imported.some((one) => reached.has(one))) reached.add(path)
  }
  return [...reached].filter((path) => path.endsWith(".test.ts")).sort()
}

function importsOf(path: string): string[] {
  const text = readFileSync(join(ROOT, path), "utf8")
  return [...text.matchAll(IMPORTED)].map(([, specifier = ""]) => join(dirname(path), specifier))
}
