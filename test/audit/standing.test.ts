// How an installation stands: each rule by an example that breaks it alone, nothing where nothing is wrong, and the page of the
// documentation that lists them.
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { findStanding } from "../../src/audit/posture/standing.ts"
import type { StandingFacts } from "../../src/audit/posture/standing-facts.ts"
import { STANDING_RULES, TOPICS } from "../../src/audit/posture/standing-rules.ts"
import type { KeyView } from "../../src/keys/rotation.ts"
import { policyOf, shippedTexts } from "../support/policies.ts"
import { ROOT } from "../support/source.ts"

const policy = await policyOf(shippedTexts())
const NOW = Date.parse("2026-03-01T09:00:00Z")
const [HOUR, DAY] = [3_600_000, 86_400_000]

const key = (change: Partial<KeyView>): KeyView => ({
  kid: "kid",
  alg: "ES256",
  state: "current",
  elsewhere: false,
  createdAt: NOW - 20 * DAY,
  activatedAt: NOW - 20 * DAY,
  firstUseAt: NOW - 20 * DAY,
  supersededAt: undefined,
  retiredAt: undefined,
  revocation: undefined,
  waitsFor: undefined,
  ...change,
})

const every = (given: number, used: number) =>
  [...policy.agents.keys()].map((agent) => ({ agent, operation: "tickets:read", granted: given, used }))
const started = [...policy.tasks.keys()].map((type) => ({ type, operation: "tickets:read", granted: 12 }))
const live = { type: "triage-ticket", agent: "triage-bot", orchestrator: "support-orchestrator", tasks: 2 }
const heard = { api: "tickets", allowed: 5, observed: 0, refused: 0, introspected: 3 }
const asked = { type: "triage-ticket", operation: "tickets:close", asked: 20, granted: 19 }

const WELL: StandingFacts = {
  now: NOW,
  wholeWindow: true,
  given: every(12, 1),
  started,
  asked: [asked],
  heard: [heard],
  live: [{ ...live, policy: policy.digest }],
  longLived: 0,
  locks: [{ kind: "agent", value: "triage-bot", revocation: "rev_1" }],
  keys: [key({})],
  retired: [key({ kid: "old", state: "retired", retiredAt: NOW - DAY })],
  canaries: [
    { kid: "old", count: 2 },
    { kid: "kid", count: 2 },
  ],
  nextKeyAt: NOW + DAY,
  signerMissing: false,
  ledgerKeyAt: NOW - 300 * DAY,
  policyState: { digest: policy.digest, since: NOW - DAY, refused: undefined },
}

const rulesOf = (change: Partial<StandingFacts>) =>
  findStanding(policy, { ...WELL, ...change }).map(({ rule }) => rule)

test("nothing is found where nothing is wrong", () => {
  expect(rulesOf({})).toEqual([])
})

const fault = { place: { file: "support.yaml", line: 3, column: 1 }, message: "no" }
const refused = (reason: "faults" | "superseded") => ({
  policyState: {
    ...WELL.policyState,
    refused: { reason, digest: "sha-256:x", faults: reason === "faults" ? [fault] : [] },
  },
})

const BROKEN: readonly [rule: string, change: Partial<StandingFacts>, message: RegExp][] = [
  ["api-observes", { heard: [{ ...heard, observed: 7 }] }, /"tickets" only observed 7 times in 7 days/],
  [
    "api-unrecorded",
    { heard: [{ ...heard, allowed: 0 }] },
    /"tickets" asked about tokens 3 times .* reported no use/,
  ],
  ["policy-refused", refused("faults"), /are refused/],
  ["policy-superseded", refused("superseded"), /in force before/],
  [
    "tasks-of-older-policy",
    { live: [{ ...live, policy: "sha-256:x" }] },
    /^2 live tasks were started under another/,
  ],
  ["rotation-overdue", { nextKeyAt: NOW - 2 * HOUR }, /was to be published on 2026-03-01/],
  [
    "rotation-waits",
    { keys: [key({ state: "next", waitsFor: { what: "publication", until: NOW - 2 * HOUR } })] },
    /was to sign from 2026-03-01 on/,
  ],
  ["signer-missing", { signerMissing: true, nextKeyAt: NOW - 2 * HOUR }, /no signer/],
  ["key-unconfirmed", { keys: [key({ waitsFor: { what: "first_use" } })] }, /no use under it/],
  ["ledger-key-old", { ledgerKeyAt: NOW - 366 * DAY }, /signs since 2025-02-28/],
  [
    "canary-dead",
    {
      canaries: [
        { kid: "old", count: 2 },
        { kid: "kid", count: 1 },
      ],
    },
    /^2 canaries are known for one no more since the key old went on 2026-02-28, and 1 is now/,
  ],
  [
    "agent-over-privileged",
    { given: every(12, 0).map((row) => ({ ...row, used: row.agent === "triage-bot" ? 0 : 1 })) },
    /"triage-bot" was given tickets:read 12 times in 30 days and used none of it/,
  ],
  ["agent-dormant", { given: every(12, 1).slice(1) }, /was given nothing in 30 days/],
  ["task-type-dormant", { started: started.slice(1) }, /was started in 30 days/],
  [
    "name-gone",
    { live: [{ ...live, agent: "old-bot", policy: policy.digest }] },
    /^2 live tasks are of the agent "old-bot"/,
  ],
  [
    "lock-on-nobody",
    { locks: [{ kind: "api", value: "old-api", revocation: "rev_2" }] },
    /a lock \(rev_2\) stands on the api "old-api"/,
  ],
  [
    "approval-always-granted",
    { asked: [{ ...asked, granted: 20 }] },
    /asked for tickets:close 20 times .* granted each time/,
  ],
  [
    "approval-never-asked",
    { asked: [], started: [...started, { type: "triage-ticket", operation: "tickets:close", granted: 12 }] },
    /offered tickets:close 12 times .* nobody asked/,
  ],
  ["tasks-long-lived", { longLived: 1 }, /^1 task has been live/],
]

test.each(BROKEN)("%s, and nothing else", (rule, change, message) => {
  expect(findStanding(policy, { ...WELL, ...change })).toEqual([
    expect.objectContaining({ rule, message: expect.stringMatching(message), fix: expect.any(String) }),
  ])
})

test.each([
  ["given too seldom to tell", { given: every(9, 0) }],
  [
    "of a right that a person would have had to agree to",
    { given: [...every(12, 1), { agent: "triage-bot", operation: "tickets:close", granted: 12, used: 0 }] },
  ],
  ["asked too seldom to tell", { asked: [{ ...asked, asked: 19 }] }],
  ["in a window that is not whole", { wholeWindow: false, given: [], started: [] }],
  [
    "where fewer went with the last key than with those before",
    {
      retired: [key({ kid: "older" }), key({ kid: "old" })],
      canaries: [
        { kid: "older", count: 9 },
        { kid: "old", count: 1 },
        { kid: "kid", count: 1 },
      ],
    },
  ],
  ["where no canary was ever planted", { canaries: [] }],
  ["where a key's turn is only just over", { nextKeyAt: NOW - HOUR / 2 }],
  [
    "where a key signs since yesterday",
    { keys: [key({ activatedAt: NOW - DAY, waitsFor: { what: "first_use" } })] },
  ],
] as const)("nothing is found %s", (_, change) => {
  expect(rulesOf(change)).toEqual([])
})

test("names that nothing uses and owners out of reach are found where the files have them", async () => {
  const text = shippedTexts()["support.yaml"]?.replace(
    "agents:\n",
    "agents:\n  idle-bot: { owner: somebody, enabled: true }\n",
  )
  const changed = await policyOf({ ...shippedTexts(), "support.yaml": text ?? "" })
  const given = [...WELL.given, { agent: "idle-bot", operation: "tickets:read", granted: 1, used: 1 }]
  const facts = { ...WELL, given, live: [], policyState: { ...WELL.policyState, digest: changed.digest } }
  expect(findStanding(changed, facts)).toMatchObject([
    { rule: "name-unused", topic: "names", message: expect.stringContaining('"idle-bot"') },
    { rule: "owner-unreachable", topic: "owners", place: { file: "support.yaml" } },
  ])
})

test("docs/posture.md has every rule, with its severity and what to do", () => {
  const page = readFileSync(join(ROOT, "docs/posture.md"), "utf8").split("\n")
  for (const [rule, { topic, severity, fix }] of Object.entries(STANDING_RULES)) {
    const row = page.filter(
      (line) => line.startsWith(`| \`${rule}\` | ${topic} | ${severity} | `) && line.endsWith(` | ${fix} |`),
    )
    expect(row, rule).toHaveLength(1)
    expect(TOPICS).toContain(topic)
  }
  const told = new Set([...BROKEN.map(([rule]) => rule), "name-unused", "owner-unreachable"])
  expect([...told].sort(), "an example of each").toEqual(Object.keys(STANDING_RULES).sort())
})
