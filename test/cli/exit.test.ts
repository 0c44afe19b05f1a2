import { describe, expect, test } from "vitest"
import { answerIsNo, cannotTell, endOf, wrongUse } from "../../src/cli/exit.ts"
import { Misnamed } from "../../src/cli/issuer-name.ts"
import { ClientError } from "../../src/client/error.ts"
import { Unavailable } from "../../src/database/database.ts"

const refusal = (code: string, status?: number) =>
  new ClientError("no", {
    code,
    status,
    next: "stop",
    requestId: "r-1",
    errors: [{ pointer: "/a", expected: "b" }],
  })

describe("each way to fail has its exit code", () => {
  const cases: readonly (readonly [what: string, error: unknown, code: number])[] = [
    ["the answer is no", answerIsNo("no"), 1],
    ["wrong use", wrongUse("wrong"), 2],
    ["could not tell", cannotTell("?"), 3],
    ["the issuer refused", refusal("access_denied", 403), 1],
    ["the issuer did not know us", refusal("invalid_client", 401), 1],
    ["the issuer found the request wrong", refusal("invalid_request", 400), 1],
    ["the issuer was too busy", refusal("temporarily_unavailable", 503), 3],
    ["the issuer was not there", refusal("issuer_unreachable"), 3],
    ["the answer made no sense", refusal("answer_invalid", 200), 3],
    ["an option was misused", new TypeError("issuer must be https"), 2],
    ["the disk is full", new Unavailable("disk full"), 3],
    ["a fault", new Error("boom"), 3],
    ["something that is no error", "boom", 3],
  ]
  for (const [what, error, code] of cases)
    test(what, () => {
      expect(endOf(error).exitCode).toBe(code)
      expect(endOf(error).lines.length).toBeGreaterThan(0)
    })
})

test("a refusal is told with its code, its fields, its request and what to do", () => {
  expect(endOf(refusal("task_ended", 409)).lines).toEqual([
    "no (task_ended, 409)",
    "/a: expected b",
    "request r-1",
    expect.stringContaining("start another"),
  ])
})

test("a refusal for the issuer's name is told as it came, with its request, and what the name is", () => {
  const { exitCode, lines } = endOf(new Misnamed(refusal("invalid_client", 401), "It is called x"))
  expect([exitCode, lines]).toEqual([
    1,
    ["no (invalid_client, 401)", "/a: expected b", "request r-1", "It is called x"],
  ])
})

test("what an issuer writes can't steer the terminal", () => {
  const error = new ClientError("a\u001b[2Jb", { code: "x\u202e", status: 400, next: "stop" })
  expect(endOf(error).lines[0]).toBe("a\\u{1b}[2Jb (x\\u{202e}, 400)")
})

test("nor can the fields that it finds wrong, or the id of its answer", () => {
  const error = new ClientError("no", {
    code: "invalid_request",
    status: 400,
    next: "stop",
    requestId: "r\u0007",
    errors: [
      { pointer: "/a\u001b[2J", expected: "b\u202e" },
      { pointer: "", expected: "c\nd" },
    ],
  })
  expect(endOf(error).lines).toEqual([
    "no (invalid_request, 400)",
    "/a\\u{1b}[2J: expected b\\u{202e}",
    "expected c\\u{a}d",
    "request r\\u{7}",
  ])
})

test("whatever fails, its message shows no token", () => {
  const token = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ0In0.c2ln"
  expect(endOf(new Error(`could not send ${token}`)).lines).toEqual(["could not send [token]"])
})

test.each([
  ["task_paused", /task resume/],
  ["invalid_client", /run out/],
  ["ledger_broken", /--accept-rollback/],
  ["api_not_allowed", /policy explain/],
  ["condition_not_met", /policy explain/],
  ["key_required", /--dpop-jkt/],
  ["uses_exhausted", /`limits`/],
  ["reference_conflict", /--reference/],
])("%s is told with what to do", (code, says) => {
  expect(endOf(refusal(code, 409)).lines.at(-1)).toMatch(says)
})
