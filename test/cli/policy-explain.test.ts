// `policy explain`, as an owner types it: what conditions are told. The decision is test/policy/explain.test.ts's.
import { join } from "node:path"
import { expect, test, vi } from "vitest"
import { writeExampleFolder } from "../../src/cli/example-folder.ts"
import { runCli } from "../support/command-line.ts"
import { createFolders } from "../support/folder.ts"

vi.setConfig({ testTimeout: 120_000 })
const WHEN = `'task.purpose == "Triage" && has(task.reference) && agent.instance == "pod-1" && usage.starts == 0'`
const { policies } = writeExampleFolder(join(createFolders()(), "house"), (text) =>
  text
    .replace("    deadline: 2h\n", `    deadline: 2h\n    when: ${WHEN}\n`)
    .replace("valid: 15m, once: true }", `$&\n        when: 'now.getHours("Europe/Berlin") < 22'`),
)
const ASKED = "triage-ticket --orchestrator support-orchestrator --input ticket=SUP-1"
const explain = (args: string) =>
  runCli(["policy", "explain", "--policies", policies, ...ASKED.split(" "), ...args.split(" ")])

const AS = "--agent triage-bot/pod-1 --purpose Triage --reference run-7"
const PLACE =
  /^ {2}support\.yaml:\d+:\d+ {2}the condition .* does not hold: ask as it says, or change it here$/m
const CLOSE = "✓ tickets grants tickets:close"

test.concurrent.each([
  ["all hold", "2026-03-29T19:59:59Z", true],
  ["it is too late for a grant", "2026-03-29T20:00:00Z", false],
])("conditions are told what the command line says: %s", async (_what, now, closes) => {
  const { code, stdout } = await explain(`${AS} --now ${now}`)
  expect([code, stdout.includes(CLOSE), PLACE.test(stdout)]).toEqual([0, closes, !closes])
})

test.concurrent("without --now it is as of now, and --json has the edits", async () => {
  const { code, stdout } = await explain("--agent triage-bot/pod-1 --json")
  const { allowed, edits } = JSON.parse(stdout)
  expect([code, allowed, edits[0]]).toEqual([
    1,
    false,
    {
      place: expect.objectContaining({ file: "support.yaml" }),
      why: expect.stringMatching(/^the condition "task\.purpose.* does not hold/),
    },
  ])
  expect(edits.filter(({ why }: { why: string }) => why.includes("can't be told"))).toEqual([])
})
