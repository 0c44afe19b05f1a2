// `npm run evidence`, which `-- --help` explains: the long forms of tests that `npm test` runs short. Exit code 1 when one of
// them finds what must not be.
import assert from "node:assert/strict"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { runCalm } from "../test/support/calm.ts"
import { runChains } from "../test/support/chains.ts"
import { runCopyStory } from "../test/support/copy-story.ts"
import { runKillStory } from "../test/support/kill-story.ts"
import { runEdits } from "../test/support/ledger-edits.ts"
import { makeLedgerFile } from "../test/support/ledger-file.ts"
import { runMutations } from "../test/support/mutations.ts"
import { runPolicyFuzz } from "../test/support/policy-fuzz.ts"
import { runPairs } from "../test/support/policy-pairs.ts"
import { startPostgres } from "../test/support/postgres-server.ts"
import { runReplicaStory } from "../test/support/replica-story.ts"
import { tablesHeld } from "../test/support/tables-held.ts"
import { makeUsed } from "../test/support/used-database.ts"
import { readLongRun } from "./long-run.ts"

const USAGE = `npm run evidence -- [name ...] [option ...]

  kills        a guarded API is killed under load; the ledger tells what handlers ran    --kills N          (200)
  mutations    of valid tokens: none is genuine                                          --mutations N      (10000000)
  policies     deformed policy files: each refused with a place, or loaded whole         --policies N       (100000)
  replicas     three issuers on one PostgreSQL database, killed under load               --replica-kills N  (100)
                 starts that they answer meanwhile                                       --starts N         (10000)
  copies       a copy of a ledger to PostgreSQL is killed, and goes on                   --copy-kills N     (100)
  chains       lives of holders that stand one below the other                           --chains N         (1000000)
  differences  pairs of policies, and what \`policy diff\` says of them                    --differences N    (1000000)
  ledger       edits of a ledger of 1,000 entries: each is found                         --edits N          (100000)
  anomalies    thirty ordinary days: next to none is raised                              --crews N          (20)

All of them where none is named; most take many minutes. Exit code 1: one of them found what must not be.`

/** A killed copy has written some 1,500 rows: the ledger is as large as the kills need. */
const TASKS_PER_KILL = 400

const EVIDENCE: Readonly<Record<string, () => Promise<string> | string>> = {
  kills,
  mutations,
  policies,
  replicas,
  copies,
  chains,
  differences,
  ledger,
  anomalies,
}
const { names, numbers } = readLongRun(USAGE, Object.keys(EVIDENCE), {
  kills: 200,
  mutations: 10_000_000,
  policies: 100_000,
  starts: 10_000,
  "replica-kills": 100,
  "copy-kills": 100,
  chains: 1_000_000,
  differences: 1_000_000,
  edits: 100_000,
  crews: 20,
})
for (const name of names) {
  const began = performance.now()
  const found = await EVIDENCE[name]?.()
  console.log(`${name}: ${found}, in ${((performance.now() - began) / 1000).toFixed(0)} s`)
}

async function kills(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "taskmint-evidence-"))
  try {
    const rounds = numbers.kills
    const story = await runKillStory({ folder, place: join(folder, "issuer.db") }, rounds, (round) => {
      if ((round + 1) % 20 === 0) console.log(`  ${round + 1} of ${rounds} kills`)
    })
    const ran = new Set(story.handled)
    const uses = new Set(story.recorded.map(({ use }) => use))
    const beside = story.recorded.filter(({ use }) => !ran.has(use))
    assert.equal(uses.size, story.recorded.length, "a use is in the ledger twice")
    assert.deepEqual(
      story.handled.filter((use) => !uses.has(use)),
      [],
      "handlers ran without a use",
    )
    assert.deepEqual(
      beside.filter(({ finished }) => finished),
      [],
      "a use has an outcome that no handler had",
    )
    assert.ok(beside.length <= story.underWay, "more uses without a handler than were under way")
    return `${rounds} kills, ${ran.size} handlers ran, each once in the ledger; ${beside.length} uses more, of unknown end, were under way`
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function mutations(): string {
  const runs = numbers.mutations
  const part = 100_000
  for (let done = 0, seed = 1; done < runs; done += part, seed++) {
    runMutations(Math.min(part, runs - done), seed)
    if (seed % 10 === 0) console.log(`  ${done + part} of ${runs} mutations`)
  }
  return `${runs} deformed tokens, none genuine, none made the reader throw`
}

function policies(): string {
  const runs = numbers.policies
  const part = 5000
  const all = { loaded: 0, refused: 0 }
  for (let done = 0, seed = Date.now(); done < runs; done += part, seed++) {
    const { loaded, refused } = runPolicyFuzz(Math.min(part, runs - done), seed)
    all.loaded += loaded
    all.refused += refused
    if ((done / part) % 4 === 3) console.log(`  ${done + part} of ${runs} files`)
  }
  return `${runs} deformed policy files, ${all.refused} refused with a place, ${all.loaded} loaded whole; none threw or took a second`
}

function chains(): string {
  const runs = numbers.chains
  const part = 50_000
  for (let done = 0, seed = Date.now(); done < runs; done += part, seed++) {
    runChains(Math.min(part, runs - done), seed)
    if ((done / part) % 4 === 3) console.log(`  ${done + part} of ${runs} lives`)
  }
  return `${runs} lives of holders, none got more than policy and all above it leave, none lived longer`
}

function differences(): string {
  const runs = numbers.differences
  const part = 50_000
  let unchanged = 0
  for (let done = 0, seed = Date.now(); done < runs; done += part, seed++) {
    unchanged += runPairs(Math.min(part, runs - done), seed).unchanged
    if ((done / part) % 4 === 3) console.log(`  ${done + part} of ${runs} pairs`)
  }
  return `${runs} pairs of policies, ${unchanged} requests called unchanged, each answered alike; no direction was wrong`
}

async function ledger(): Promise<string> {
  const runs = numbers.edits
  const part = 5000
  const all = { bytes: 0, values: 0, rows: 0 }
  for (let done = 0, seed = Date.now(); done < runs; done += part, seed++) {
    const file = await makeLedgerFile(940)
    try {
      assert.equal((await file.verify()).verdict, "verified", "an untouched ledger raises an alarm")
      const { missed, ...edits } = await runEdits(file, Math.min(part, runs - done), seed)
      assert.deepEqual(missed, [], `edits were not found, or not where they are (seed ${seed})`)
      for (const kind of ["bytes", "values", "rows"] as const) all[kind] += edits[kind]
    } finally {
      await file.remove()
    }
    console.log(`  ${Math.min(done + part, runs)} of ${runs} edits`)
  }
  const counts = `${all.bytes} of hashed bytes, ${all.values} of other values, ${all.rows} of rows`
  return `${runs} edits of ledgers of 1,000 entries (${counts}), each found, none named too late; untouched, all verified`
}

async function anomalies(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "taskmint-evidence-"))
  try {
    const seed = Date.now()
    const { tasks, entries, raised } = await runCalm(join(folder, "calm.db"), seed, numbers.crews, (day) => {
      if (day % 10 === 9) console.log(`  ${day + 1} of 30 days`)
    })
    const all = Object.values(raised).reduce((sum, count) => sum + count, 0)
    const words = Object.entries(raised).map(([rule, count]) => `${count} ${rule}`)
    assert.ok(
      all / tasks <= 3 / 1000,
      `${all} anomalies in ${tasks} ordinary tasks (seed ${seed}): ${words.join(", ")}`,
    )
    const rate = ((all / tasks) * 1000).toFixed(2)
    return `${tasks} tasks of thirty ordinary days (${entries} entries), ${rate} anomalies in 1,000 tasks: ${words.join(", ")}`
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function replicas(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "taskmint-evidence-"))
  const server = await startPostgres()
  try {
    const [starts, rounds] = [numbers.starts, numbers["replica-kills"]]
    const story = await runReplicaStory({ folder, address: server.address }, starts, rounds, (kill) => {
      if ((kill + 1) % 10 === 0) console.log(`  ${kill + 1} of ${rounds} replicas killed`)
    })
    const untold = [...story.tokens].filter(([jti, task]) => story.issued.get(jti) !== task)
    assert.deepEqual(untold, [], "a token has no entry")
    const started = new Map(story.started.map(({ reference, task }) => [reference, task]))
    assert.equal(started.size, story.started.length, "a start was done twice")
    assert.deepEqual(started, story.tasks, "callers and the ledger tell of other tasks")
    assert.equal(story.entries.last, story.entries.count, "there is a gap")
    assert.equal(story.entries.bytes, story.entries.count, "an entry has no bytes")
    return `${starts} starts, ${rounds} replicas killed, ${story.entries.count} entries without a gap; the slowest start took ${Math.round(story.slowest)} ms`
  } finally {
    await server.remove()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function copies(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "taskmint-evidence-"))
  const server = await startPostgres()
  try {
    const rounds = numbers["copy-kills"]
    const from = await makeUsed(folder, TASKS_PER_KILL * rounds)
    const story = await runCopyStory({ from, to: server.address }, rounds, (kill) => {
      if ((kill + 1) % 10 === 0) console.log(`  ${kill + 1} of ${rounds} copies killed`)
    })
    const [wanted, found] = [await tablesHeld(from), await tablesHeld(server.address)]
    assert.deepEqual(found, wanted, "a table differs")
    const rows = [...wanted.values()].reduce((sum, one) => sum + one.rows, 0)
    assert.ok(story.copied.resumed && story.copied.rows < rows, "the last copy began anew")
    return `${rounds} copies killed, ${rows} rows in ${wanted.size} tables equal, of which the last copy wrote ${story.copied.rows}`
  } finally {
    await server.remove()
    rmSync(folder, { recursive: true, force: true })
  }
}
