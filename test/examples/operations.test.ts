// What operators copy, held against the code: every setting, port, path, file and metric that the examples name is there.
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { parse } from "yaml"
import { SETTINGS } from "../../src/cli/settings.ts"
import { REFUSALS } from "../../src/errors.ts"
import { MEASURED_BY_GUARD, MEASURED_BY_ISSUER } from "../support/measured.ts"
import { ROOT } from "../support/source.ts"

const read = (path: string) => readFileSync(join(ROOT, path), "utf8")
const alarms = read("examples/prometheus/alerts.yml")
const dashboard = read("examples/prometheus/dashboard.json")
const handbook = read("docs/operations.md")

const VARIABLES: ReadonlySet<string> = new Set(
  Object.values<{ variable: string; secret?: boolean; later?: boolean }>(SETTINGS)
    .filter((one) => !one.later)
    .flatMap(({ variable, secret }) => (secret ? [variable, `${variable}_FILE`] : [variable])),
)

describe("settings", () => {
  const files = [
    "Dockerfile",
    "docs/operations.md",
    "docs/sidecar.md",
    ...["kubernetes", "systemd", "prometheus"].flatMap((folder) =>
      readdirSync(join(ROOT, "examples", folder)).map((name) => `examples/${folder}/${name}`),
    ),
  ]
  test.each(files)("%s names only settings that are there and supported", (path) => {
    const named = new Set(read(path).match(/\bTASKMINT_[A-Z_]+\b/g))
    expect([...named].filter((name) => !VARIABLES.has(name))).toEqual([])
  })
})

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly annotations: { readonly summary: string }
  readonly labels: { readonly severity: string }
}

const rules = (parse(alarms) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules)
const panels = (JSON.parse(dashboard) as { panels: { title: string; targets: { expr: string }[] }[] }).panels

const queries: readonly (readonly [where: string, expr: string])[] = [
  ...rules.map((rule) => [rule.alert, rule.expr] as const),
  ...panels.flatMap(({ title, targets }) => targets.map(({ expr }) => [title, expr] as const)),
]

/** `up` is Prometheus' own. */
const MEASURED: ReadonlySet<string> = new Set([...MEASURED_BY_ISSUER, ...MEASURED_BY_GUARD, "up"])
const HISTOGRAMS = /^(http_server_request_duration|taskmint_(commit|check)_duration)$/
/** Language of PromQL, and labels. */
const WORDS =
  /^(sum|min|max|abs|by|le|rate|increase|histogram_quantile|instance|job|error_type|http_\w+|taskmint_(lane|outcome|alarm|rule|age|key))$/

const namesIn = (expr: string): string[] =>
  (expr.replaceAll(/"[^"]*"|\[[^\]]*\]/g, "").match(/[a-z][a-z0-9_]*/g) ?? []).filter(
    (name) => name.startsWith("http_server_") || !WORDS.test(name),
  )

describe("queries", () => {
  test.each(queries)("%s asks for what is measured: %s", (_where, expr) => {
    const names = namesIn(expr)
    expect(names.length).toBeGreaterThan(0)
    for (const name of names) {
      const family = name.replace(/_(bucket|count)$/, "")
      expect([name, MEASURED.has(family) && HISTOGRAMS.test(family) === (family !== name)]).toEqual([
        name,
        true,
      ])
    }
  })

  test("every code that is looked for can be given, and every metric of ours is looked at somewhere", () => {
    const codes = queries.flatMap(([, expr]) =>
      [...expr.matchAll(/error_type=~?"([a-z_|]+)"/g)].flatMap(([, text = ""]) => text.split("|")),
    )
    expect(codes.length).toBeGreaterThan(6)
    const own = ["fault", "unavailable", "conflict"]
    expect(codes.filter((code) => !(code in REFUSALS) && !own.includes(code))).toEqual([])
    const asked = new Set(
      queries.flatMap(([, expr]) => namesIn(expr)).map((name) => name.replace(/_(bucket|count)$/, "")),
    )
    expect([...MEASURED].filter((name) => !asked.has(name))).toEqual([])
  })

  test("every alarm says what it is, and the handbook what to do, in the same order", () => {
    const headings = [...handbook.matchAll(/^### (Taskmint\w+)$/gm)].map(([, name]) => name)
    expect(headings).toEqual(rules.map((rule) => rule.alert))
    for (const { annotations, labels } of rules)
      expect([annotations.summary.length > 10, /^(page|ticket)$/.test(labels.severity)]).toEqual([true, true])
  })

  test("the handbook lists what is measured, and nothing else", () => {
    const section = handbook.slice(handbook.indexOf("## Measuring"), handbook.indexOf("## What to do"))
    const listed = [...section.matchAll(/^\| (`[^|]*) \|/gm)].flatMap(([, cell = ""]) =>
      [...cell.matchAll(/`([a-z0-9.]+)`/g)].map(([, name = ""]) => name.replaceAll(".", "_")),
    )
    const told = [...MEASURED].filter((name) => name !== "up").map((name) => name.replace(/_total$/, ""))
    expect(listed.sort()).toEqual(told.sort())
  })
})

test("links of the handbook lead somewhere", () => {
  const targets = [...handbook.matchAll(/\]\(([^)#]+)\)/g)].map(([, target = ""]) => target)
  expect(targets.length).toBeGreaterThan(2)
  expect(targets.filter((target) => !existsSync(join(ROOT, "docs", target)))).toEqual([])
})
