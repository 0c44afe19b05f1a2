// `policy check`, as pipelines run it. What is found is test/policy/review.test.ts's.
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test, vi } from "vitest"
import { z } from "zod"
import { writeExampleFolder } from "../../src/cli/example-folder.ts"
import { runCli } from "../support/command-line.ts"
import { createFolders } from "../support/folder.ts"

vi.setConfig({ testTimeout: 120_000 })
const newFolder = createFolders()
const parent = newFolder()
writeExampleFolder(join(parent, "good"))
writeExampleFolder(join(parent, "bad"), (text) => text.replace("deadline: 2h", "deadlin: 2h"))
writeExampleFolder(join(parent, "plain"), (text) =>
  text.replace("https://tickets.internal.example", "http://tickets.internal.example"),
)
const check = (...args: string[]) => runCli(["policy", "check", ...args], { cwd: parent })

/** What of SARIF 2.1.0 we write, held strictly: members that the standard knows, and what it asks for. */
const text = z.strictObject({ text: z.string().min(1) })
const level = z.enum(["none", "note", "warning", "error"])
const rule = z.strictObject({
  id: z.string().min(1),
  shortDescription: text,
  help: text,
  defaultConfiguration: z.strictObject({ level }),
})
const region = z.strictObject({ startLine: z.int().min(1), startColumn: z.int().min(1) })
const location = z.strictObject({
  physicalLocation: z.strictObject({
    artifactLocation: z.strictObject({ uri: z.string().regex(/^(?:[A-Za-z0-9._~%/-]+|file:\/\/\/\S+)$/) }),
    region,
  }),
})
const sarif = z.strictObject({
  $schema: z.literal("https://json.schemastore.org/sarif-2.1.0.json"),
  version: z.literal("2.1.0"),
  runs: z.tuple([
    z.strictObject({
      tool: z.strictObject({
        driver: z.strictObject({
          name: z.literal("taskmint"),
          version: z.string().regex(/^\d+\.\d+\.\d+/),
          rules: z.array(rule).min(20),
        }),
      }),
      columnKind: z.literal("utf16CodeUnits"),
      results: z.array(
        z.strictObject({
          ruleId: z.string(),
          ruleIndex: z.int().min(0),
          level,
          message: text,
          locations: z.tuple([location]),
        }),
      ),
    }),
  ]),
})

describe.concurrent("policy check", () => {
  test.each([
    ["error", 0],
    ["warning", 1],
    ["note", 1],
  ])("--fail-on %s ends with %i where the gravest finding is a warning", async (severity, code) => {
    const ended = await check("good/policies", "--fail-on", severity)
    expect([ended.code, ended.stdout]).toEqual([code, expect.stringMatching(/^valid {2}4 tasks/)])
    expect(ended.stdout).toMatch(/^warning support\.yaml:\d+:\d+: .* \[no-proof-of-possession\]$/m)
    if (code === 1) expect(ended.stderr).toMatch(/\d+ finding\(s\) of severity/)
  })

  test("--sarif describes every rule and places each result in a file of the repository", async () => {
    const ended = await check("good/policies", "--sarif")
    const [run] = sarif.parse(JSON.parse(ended.stdout)).runs
    expect([ended.code, run.results.length > 3]).toEqual([0, true])
    for (const { ruleId, ruleIndex, locations } of run.results) {
      expect(run.tool.driver.rules[ruleIndex]?.id).toBe(ruleId)
      expect(locations[0].physicalLocation.artifactLocation.uri).toMatch(/^good\/policies\/\w+\.yaml$/)
    }
  })

  test("--sarif of files that are no policy has each mistake as an error, and the answer is no", async () => {
    const ended = await check("bad/policies", "--sarif")
    const [run] = sarif.parse(JSON.parse(ended.stdout)).runs
    const told = run.results.map(({ ruleId, level }) => [ruleId, level])
    expect([ended.code, told]).toEqual([1, [["policy-invalid", "error"]]])
  })

  test("--json has every finding with its rule, severity, place and fix", async () => {
    const { code, stdout } = await check("good/policies", "--json")
    const { valid, findings } = JSON.parse(stdout)
    expect([code, valid]).toEqual([0, true])
    expect(findings).toContainEqual({
      rule: "wildcard",
      severity: "note",
      place: { file: "support.yaml", line: expect.any(Number), column: expect.any(Number) },
      message: '"summarize-ticket" grants tickets:read on "tickets/{ticket}/**"',
      fix: expect.any(String),
    })
  })

  test("--evidence tells what was granted and not used; what is no report is wrong use", async () => {
    const item = { type: "triage-ticket", agent: "triage-bot", rule: "x", api: "tickets" }
    const items = [
      {
        ...item,
        operation: "tickets:comment",
        granted: 3,
        used: 0,
        refused: 0,
        last_used: null,
        resources: null,
      },
    ]
    const report = { from: "2026-10-01T00:00:00Z", to: "2026-11-01T00:00:00Z", entries: 9, items }
    writeFileSync(join(parent, "report.json"), JSON.stringify(report))
    writeFileSync(join(parent, "other.json"), "{}")
    writeFileSync(join(parent, "part.json"), JSON.stringify({ ...report, only: { unused: true } }))
    const entries = Array.from({ length: 20 }, (_, index) => [
      {
        seq: 1,
        at: "2026-10-02T00:00:00Z",
        kind: "task.started",
        task_id: `${index}`,
        body: { type: "triage-ticket" },
      },
      { seq: 2, at: "2026-10-02T00:05:00Z", kind: "task.completed", task_id: `${index}` },
    ])
    const lines = entries.flat().map((entry) => JSON.stringify(entry))
    writeFileSync(join(parent, "entries.jsonl"), lines.join("\n"))
    const found = await check("good/policies", "--evidence", "report.json", "--entries", "entries.jsonl")
    expect(found.stdout).toMatch(
      /may run for 2h, and the longest of 20 tasks took 5m .*\[deadline-never-needed\]/,
    )
    expect(found.stdout).toMatch(/tickets:comment 3 times .* was never used \[granted-never-used\]/)
    const [none, other, part] = await Promise.all([
      check("good/policies", "--evidence", "nowhere.json"),
      check("good/policies", "--evidence", "other.json"),
      check("good/policies", "--evidence", "part.json"),
    ])
    expect([part.code, part.stderr]).toEqual([2, expect.stringContaining("uses are missing")])
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining("can't be read (ENOENT)")])
    expect([other.code, other.stderr]).toEqual([
      2,
      expect.stringContaining("no least-privilege report: from"),
    ])
  })
})

test.each([
  ["check", "plain/policies"],
  ["test", "plain/policies"],
  ["inventory", "plain/policies"],
  ["diff", "plain/policies", "plain/policies"],
])("policy %s reads plain http as the issuer does: by the setting alone", async (...args) => {
  const read = (env: Record<string, string>) => runCli(["policy", ...args], { cwd: parent, env })
  const [refused, taken] = await Promise.all([
    read({}),
    read({ TASKMINT_DANGEROUSLY_ALLOW_PLAIN_HTTP: "true" }),
  ])
  expect([refused.code, `${refused.stdout}${refused.stderr}`]).toEqual([1, expect.stringContaining("https")])
  expect([taken.code, taken.stderr]).toEqual([0, expect.not.stringContaining("https")])
})
