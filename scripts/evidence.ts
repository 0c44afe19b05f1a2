// npm run evidence [-- kills|mutations] [--kills N] [--mutations N]
// The long forms of tests that `npm test` runs short: 200 kills of a guarded API under load, 10,000,000 mutations of valid
// tokens. Exit code 1 when one of them finds what must not be.
import assert from "node:assert/strict"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { runKillStory } from "../test/support/kill-story.ts"
import { runMutations } from "../test/support/mutations.ts"

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    kills: { type: "string", default: "200" },
    mutations: { type: "string", default: "10000000" },
  },
})

const EVIDENCE: Readonly<Record<string, () => Promise<string> | string>> = { kills, mutations }
const wanted = positionals.length > 0 ? positionals : Object.keys(EVIDENCE)
const unknown = wanted.filter((name) => !(name in EVIDENCE))
if (unknown.length > 0) {
  console.error(`unknown: ${unknown.join(", ")}; there are ${Object.keys(EVIDENCE).join(", ")}`)
  process.exit(2)
}
for (const name of wanted) {
  const began = performance.now()
  const found = await EVIDENCE[name]?.()
  console.log(`${name}: ${found}, in ${((performance.now() - began) / 1000).toFixed(0)} s`)
}

async function kills(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "taskmint-evidence-"))
  try {
    const rounds = Number(values.kills)
    const story = await runKillStory(folder, rounds, (round) => {
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
  const runs = Number(values.mutations)
  const part = 100_000
  for (let done = 0, seed = 1; done < runs; done += part, seed++) {
    runMutations(Math.min(part, runs - done), seed)
    if (seed % 10 === 0) console.log(`  ${done + part} of ${runs} mutations`)
  }
  return `${runs} deformed tokens, none genuine, none made the reader throw`
}
