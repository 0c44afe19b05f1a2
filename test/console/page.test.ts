// The frame of every page: what is offered to whom, and that names of others stand in it as text.
import { describe, expect, test } from "vitest"
import { consolePage, PLACES, type Role } from "../../src/console/page.ts"

const offeredTo = (...roles: Role[]) => {
  const text = consolePage({ title: "x", body: "", reader: { name: "people/ana", roles } })
  return [...text.matchAll(/<li><a href="([^"]+)"/g)].map(([, path]) => path)
}

describe("the menu offers each role its own places", () => {
  const all = PLACES.map(({ path }) => path)
  test.each<[string, Role[], string[]]>([
    ["auditors everything", ["auditor"], all],
    ["operators all but the ledger", ["operator"], all.filter((path) => path !== "/console/ledger")],
    ["approvers what waits for them", ["approver"], ["/console", "/console/approvals"]],
    [
      "of two roles what either has",
      ["approver", "operator"],
      all.filter((path) => path !== "/console/ledger"),
    ],
    ["of no role nothing", [], []],
  ])("%s", (_, roles, paths) => {
    expect(offeredTo(...roles)).toEqual(paths)
  })

  test("and whoever is not signed in nothing, nor a way to sign out", () => {
    const text = consolePage({ title: "x", body: "" })
    expect(text).not.toMatch(/<nav|<form|sign-out/)
  })
})

test("a name and a title of others stand as text", () => {
  const evil = '"><script>alert(1)</script>'
  const text = consolePage({
    title: evil,
    lead: evil,
    body: evil,
    reader: { name: evil, roles: ["auditor"] },
  })
  expect(text).not.toContain("<script")
  expect(text.split("&quot;&gt;&lt;script&gt;").length).toBe(6)
})
