// Several files into one policy's sections: every name once, and a caller's name in one section only, because it is its
// client id and the name that tokens and entries carry. What a name stands for is resolve.ts's.
import type { AnomalyDeclaration } from "./anomaly-schema.ts"
import type { CheckedFile } from "./check.ts"
import type { PolicyFault } from "./fault.ts"
import type { PathInFile } from "./parse.ts"
import type { Place } from "./policy.ts"
import type {
  AgentRule,
  ApiRule,
  IdentityProviderRule,
  OrchestratorRule,
  PolicyFile,
  StaffRule,
  TaskRule,
  UserDeclaration,
} from "./schema.ts"

/** One named thing of a policy, and where it is declared. */
export interface Declared<Rule> {
  readonly name: string
  readonly file: string
  readonly rule: Rule
  /** Where the name stands. */
  readonly place: Place
  /** Where a part of it stands: a path below the name. */
  at(...path: PathInFile): Place
  /** The same, of a member's key. */
  keyAt(...path: PathInFile): Place
  /** The same, of a place within a text. */
  within(offset: number, ...path: PathInFile): Place
}

export type Section<Rule> = ReadonlyMap<string, Declared<Rule>>

export interface Sections {
  readonly identityProviders: Section<IdentityProviderRule>
  readonly apis: Section<ApiRule>
  readonly agents: Section<AgentRule>
  readonly orchestrators: Section<OrchestratorRule>
  readonly users: Section<UserDeclaration>
  readonly staff: Section<StaffRule>
  readonly tasks: Section<TaskRule>
  /** By the names of rules. */
  readonly anomalies: Section<AnomalyDeclaration>
}

type SectionName = Exclude<keyof PolicyFile, "version">

export function mergeFiles(files: readonly CheckedFile[]): { sections: Sections; faults: PolicyFault[] } {
  const faults: PolicyFault[] = []
  const gather = <Rule>(section: SectionName, rulesOf: (file: PolicyFile) => Record<string, Rule>) =>
    gatherSection(files, section, rulesOf, faults)
  const sections = {
    identityProviders: gather("identity_providers", (file) => file.identity_providers),
    apis: gather("apis", (file) => file.apis),
    agents: gather("agents", (file) => file.agents),
    orchestrators: gather("orchestrators", (file) => file.orchestrators),
    users: gather("users", (file) => file.users),
    staff: gather("staff", (file) => file.staff),
    tasks: gather("tasks", (file) => file.tasks),
    anomalies: gather("anomalies", (file) => saidIn(file.anomalies)),
  }
  faults.push(...sharedNames(sections))
  return { sections, faults }
}

const saidIn = (anomalies: PolicyFile["anomalies"]): Record<string, AnomalyDeclaration> =>
  Object.fromEntries(
    Object.entries(anomalies).flatMap(([name, rule]) => (rule === undefined ? [] : [[name, rule]])),
  )

function gatherSection<Rule>(
  files: readonly CheckedFile[],
  section: SectionName,
  rulesOf: (file: PolicyFile) => Record<string, Rule>,
  faults: PolicyFault[],
): Section<Rule> {
  const gathered = new Map<string, Declared<Rule>>()
  for (const { parsed, rules } of files) {
    for (const [name, rule] of Object.entries(rulesOf(rules))) {
      const at = (...path: PathInFile) => parsed.place([section, name, ...path])
      const keyAt = (...path: PathInFile) => parsed.place([section, name, ...path], "key")
      const within = (offset: number, ...path: PathInFile) =>
        parsed.placeWithin([section, name, ...path], offset)
      const declared = { name, file: parsed.name, rule, place: keyAt(), at, keyAt, within }
      const earlier = gathered.get(name)
      if (earlier) faults.push(twice(section, declared, earlier))
      else gathered.set(name, declared)
    }
  }
  return gathered
}

function twice(section: string, again: Declared<unknown>, first: Declared<unknown>): PolicyFault {
  const { file, line } = first.place
  return {
    place: again.place,
    message: `expected each name once in ${section}, found "${again.name}" again`,
    hint: `first in ${file}:${line}`,
  }
}

function sharedNames(sections: Sections): PolicyFault[] {
  const callers = {
    apis: sections.apis,
    agents: sections.agents,
    orchestrators: sections.orchestrators,
    staff: sections.staff,
  }
  const seen = new Map<string, string>()
  const faults: PolicyFault[] = []
  for (const [section, declared] of Object.entries(callers)) {
    for (const { name, place } of declared.values()) {
      const other = seen.get(name)
      seen.set(name, section)
      if (other === undefined) continue
      const message = `expected "${name}" in one of apis, agents, orchestrators and staff, found it in ${other} and ${section}`
      faults.push({ place, message, hint: "it is a client id" })
    }
  }
  return faults
}
