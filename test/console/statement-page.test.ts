// The page of a statement: that it shows what is signed, runs nothing, loads nothing, and that no text of others is markup.
import { createHash } from "node:crypto"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { inClear } from "../../src/audit/opening.ts"
import type { Statement } from "../../src/audit/statement.ts"
import { STATEMENT_POLICY, statementPage } from "../../src/console/statement-page.ts"
import { OPENED, STATEMENT } from "../support/statement.ts"

const pageOf = (statement: Statement, opened = OPENED) => statementPage(inClear(statement, opened))
const page = pageOf(STATEMENT)

/** Every text in it replaced, but for those that are of a closed list. */
function withTexts(text: string): Statement {
  const closed = /^(final|provisional|granted|api|issuer|past_end|behind|missing)$/
  return JSON.parse(JSON.stringify(STATEMENT), (name, value: unknown) =>
    typeof value === "string" && name !== "hmac" && !closed.test(value) ? text : value,
  )
}

/** The tags that stand in it, in their order, with the names of their attributes. */
const elementsIn = (document: string) =>
  [...document.replaceAll(/="[^"]*"/g, "=").matchAll(/<[^>]*>/g)].map(([tag]) => tag)

describe("the page", () => {
  test.each([
    ["who", "triage-bot/pod-7f3c"],
    ["on whose behalf", "people/ana@example.com"],
    ["why", "Triage the ticket"],
    ["what was granted", "support.yaml#/tasks/triage-ticket/grants/0"],
    ["what was used", "1,412"],
    ["how much of it never", "1 of 3 operations granted were never used"],
    ["what was refused, and why", "operations beyond the grant were asked for"],
    ["who agreed", "people/lin@example.com"],
    ["who held", "del_01a2015d-9a60-7bc1-8d89-654aa2e41023"],
    ["who reported", "01a2214f-0259-73de-ac3b-91c23927c6d5"],
    ["who did not", "has not reported past the end"],
    [
      "what is missing of it",
      "tickets: batches 2 to 1,041 of 01a2214f-0363-7142-8b77-e9aa8adc4f3e\nmissing, given up",
    ],
    ["who does not record", "deployments records nothing, and asked 2 times"],
    ["what it covers", "3nTMzXwL5uOLz1V7s7w4hqhbFMXoSPVOPPx6u0IAfzk="],
  ])("shows %s", (_what, text) => {
    expect(page.replaceAll(/<[^>]*>/g, "")).toContain(text)
  })

  test("says when it is not the last word", () => {
    expect(page).toMatch(/<span class="state final">Final<\/span> <span class="tag">number 1</)
    expect(pageOf({ ...STATEMENT, state: "provisional" })).toMatch(/Provisional: more may still be reported/)
  })

  test("says which verifier was given up, which batch differs, and how many gaps it does not show", () => {
    const [gap] = STATEMENT.gaps ?? []
    const [verifier] = STATEMENT.verifiers
    if (!gap || !verifier) throw new Error("there are none")
    const { written_off_at: at = "", ...standing } = gap
    const differs = { ...standing, from: 5, to: 5, why: "chain_differs" as const }
    const text = pageOf({
      ...STATEMENT,
      verifiers: [{ ...verifier, standing: "closed", written_off_at: at }],
      gaps: Array.from({ length: 60 }, () => differs),
      further_gaps: 7,
    }).replaceAll(/<[^>]*>/g, "")
    expect(text).toMatch(/given up \S+/)
    expect(
      text.match(/batch 5 of [0-9a-f-]+\ntold otherwise by the batch that follows: uses may/g),
    ).toHaveLength(50)
    expect(text).toContain("And 17 more such gaps.")
  })

  test("shows that values are erased, and nothing of them", () => {
    const erased = pageOf(STATEMENT, [])
    expect(erased).toMatch(/erased \([\w-]{8}…\)/)
    for (const { value } of OPENED) expect(erased).not.toContain(value)
  })

  test("K06 no text of others is markup", () => {
    const plain = elementsIn(
      pageOf(
        withTexts("x"),
        OPENED.map((one) => ({ ...one, value: "x" })),
      ),
    )
    for (const text of [
      "<script>alert(1)</script>",
      '"><img src=x onerror=alert(1)>',
      "' onload='alert(1)",
      "</style><script>",
      "<!--",
      "&lt;b&gt;",
    ]) {
      const told = pageOf(
        withTexts(text),
        OPENED.map((one) => ({ ...one, value: text })),
      )
      expect(elementsIn(told)).toEqual(plain)
      expect(told).not.toContain(text)
    }
  })

  test("K06 nor is any other text", () => {
    const plain = elementsIn(pageOf(withTexts("x")))
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom("<", ">", '"', "'", "&", "/", "!", "-", "a", " ", "=") }),
        (text) => {
          expect(elementsIn(pageOf(withTexts(text)))).toEqual(plain)
        },
      ),
      { numRuns: 200 },
    )
  })

  test("runs and loads nothing: its policy allows its own sheet alone", () => {
    expect(page).not.toMatch(/<(script|link|img|iframe|form|object|embed)|\bstyle=|\b(src|href|on\w+)=|url\(/)
    const [, sheet = ""] = /<style>([\s\S]*)<\/style>/.exec(page) ?? []
    const digest = createHash("sha256").update(sheet).digest("base64")
    expect(STATEMENT_POLICY).toBe(
      `default-src 'none'; style-src 'sha256-${digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    )
    expect(page).toContain(`content="default-src &#39;none&#39;; style-src &#39;sha256-${digest}&#39;`)
  })

  test("is dark where that is wanted, and narrow on a phone", () => {
    for (const rule of ["prefers-color-scheme:dark", "max-width:40rem", 'name="viewport"'])
      expect(page).toContain(rule)
  })
})
