// What the entries of one task tell, where there are more of a kind than an account names: the first thousand, and how many more.
import { expect, test } from "vitest"
import { MOST_GROUPS } from "../../src/audit/groups.ts"
import { createStory } from "../../src/audit/story.ts"
import type { HashedEntry } from "../../src/audit/told.ts"

const at = "2026-03-01T09:00:00.000Z"
const BEYOND = 3

function storyOf(entryOf: (number: number) => HashedEntry) {
  const story = createStory()
  for (let number = 0; number < MOST_GROUPS + BEYOND; number++) story.take(entryOf(number))
  return story
}

test("approvals: those beyond are counted, and their decisions change nothing", () => {
  const story = storyOf((number) => ({ at, kind: "approval.requested", body: { approval: `apr_${number}` } }))
  for (const approval of ["apr_0", `apr_${MOST_GROUPS}`])
    story.take({ at, kind: "approval.granted", body: { approval, by: "people/ana" } })
  story.take({ at, kind: "token.issued", body: { approval: `apr_${MOST_GROUPS}` } })
  expect([story.approvals().length, story.furtherApprovals()]).toEqual([MOST_GROUPS, BEYOND])
  expect(
    story.approvals().flatMap(({ approval, decision }) => (decision === "granted" ? approval : [])),
  ).toEqual(["apr_0"])
})

test("holders: what those beyond had is a sum", () => {
  const story = storyOf((number) => ({ at, kind: "token.issued", agent: "bot", instance: `pod-${number}` }))
  story.take({ at, kind: "use.refused", agent: "bot", instance: "pod-x", code: "no", body: { count: 5 } })
  story.take({ at, kind: "token.issued", agent: "bot", instance: "pod-0" })
  expect([story.holders().length, story.furtherHolders()]).toEqual([
    MOST_GROUPS,
    { tokens: BEYOND, refused: 5 },
  ])
  expect(story.holders()[0]).toMatchObject({ instance: "pod-0", tokens: 2 })
})

test("refusals: each counts as many as it stands for, also beyond", () => {
  const story = storyOf((number) => ({ at, kind: "use.refused", code: `code_${number}`, body: { count: 2 } }))
  expect([story.refusals().length, story.furtherRefusals()]).toEqual([MOST_GROUPS, 2 * BEYOND])
  expect(story.refusals()[0]).toMatchObject({ by: "api", code: "code_0", count: 2 })
})
