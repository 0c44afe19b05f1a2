// Remarks and faults as SARIF 2.1.0 (OASIS), which code scanning reads: one run, every rule described, each result with
// its place. It decides the form only.
import { relative, resolve, sep } from "node:path"
import { pathToFileURL } from "node:url"
import type { PolicyFault } from "../policy/fault.ts"
import type { Place } from "../policy/policy.ts"
import { REVIEW_RULES, type Remark } from "../policy/review.ts"

const INVALID = {
  id: "policy-invalid",
  severity: "error",
  summary: "A policy that the issuer refuses to load",
  fix: "do what the message says",
} as const

const RULES = [INVALID, ...REVIEW_RULES]

export interface SarifInput {
  /** As it was given: files below the working directory are named from there, as in a repository. */
  readonly folder: string
  readonly version: string
  readonly remarks: readonly Remark[]
  readonly faults: readonly PolicyFault[]
}

export function sarifOf({ folder, version, remarks, faults }: SarifInput): object {
  const invalid = faults.map(({ place, message, hint }) => ({
    rule: INVALID.id,
    severity: INVALID.severity,
    place,
    message,
    fix: hint ?? INVALID.fix,
  }))
  return {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: { driver: { name: "taskmint", version, rules: RULES.map(descriptorOf) } },
        columnKind: "utf16CodeUnits",
        results: [...invalid, ...remarks].map((remark) => resultOf(remark, folder)),
      },
    ],
  }
}

const descriptorOf = ({ id, severity, summary, fix }: (typeof RULES)[number]) => ({
  id,
  shortDescription: { text: summary },
  help: { text: fix },
  defaultConfiguration: { level: severity },
})

const resultOf = ({ rule, severity, place, message, fix }: Remark, folder: string) => ({
  ruleId: rule,
  ruleIndex: RULES.findIndex(({ id }) => id === rule),
  level: severity,
  message: { text: `${message}. To do: ${fix}` },
  locations: [
    {
      physicalLocation: {
        artifactLocation: { uri: uriOf(folder, place) },
        region: { startLine: place.line, startColumn: place.column },
      },
    },
  ],
})

function uriOf(folder: string, { file }: Place): string {
  const path = resolve(folder, file)
  const here = relative(resolve("."), path)
  if (here.startsWith("..") || resolve(here) === here) return pathToFileURL(path).href
  return here.split(sep).map(encodeURIComponent).join("/")
}
