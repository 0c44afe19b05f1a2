// What is taken out of logs and spans before they leave: our own tokens first, then secrets of known forms.
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
import fc from "fast-check"
import pino from "pino"
import { describe, expect, test } from "vitest"
import { signProof } from "../../src/token/proof.ts"
import { redact, redactSpans, redactText } from "../../src/verifier/redact.ts"
import { es256, NOW, validToken } from "../support/forge.ts"

const token = validToken()
const proof = signProof({ method: "GET", url: "https://api.example/", now: NOW }, es256)
/** Parts that could be put together again. */
const partsOf = (jwt: string) => jwt.split(".").filter((part) => part.length > 8)
const PEM = `-----BEGIN EC PRIVATE KEY-----\n${"MHcCAQEEIA".repeat(8)}\n-----END EC PRIVATE KEY-----`

describe("a text loses", () => {
  test.each<[string, string, readonly string[]]>([
    ["a task token", `refused ${token}, again`, partsOf(token)],
    ["a task token in a URL", `GET /x?access_token=${token}&y=1`, partsOf(token)],
    ["a task token behind an escaped line end", `{"log":"a\\n${token}"}`, partsOf(token)],
    [
      "a task token in a URL within a URL",
      `/x?to=%2Fy%3Ft%3D${token.replaceAll(".", "%2E")}`,
      partsOf(token),
    ],
    [
      "a task token that was cut short",
      `see ${token.slice(0, token.lastIndexOf("."))}`,
      partsOf(token).slice(0, 2),
    ],
    ["a proof", `DPoP: ${proof}`, partsOf(proof)],
    ["an opaque credential", "authorization: Bearer abcdefgh12345678", ["abcdefgh12345678"]],
    ["a basic credential", "Authorization: Basic YW5hOnNlY3JldA==", ["YW5hOnNlY3JldA"]],
    ["a private key", `key ${PEM} end`, ["MHcCAQEEIA"]],
    ["the private member of a JWK", '{"kty":"EC","d":"abcdefghijklmnopqrst"}', ["abcdefghijklmnopqrst"]],
    ["an AWS key id", "AKIAIOSFODNN7EXAMPLE", ["IOSFODNN7EXAMPLE"]],
    ["a GitHub token", `ghp_${"a".repeat(36)}`, ["aaaa"]],
    ["a GitLab token", `glpat-${"a".repeat(20)}`, ["aaaa"]],
    ["a Slack token", "xoxb-1234567890-abcdef", ["1234567890"]],
    ["an API key of a model's vendor", `sk-ant-${"a1".repeat(20)}`, ["a1a1"]],
  ])("%s", (_, text, gone) => {
    const clean = redactText(text)
    for (const part of gone) expect(clean).not.toContain(part)
    expect(clean).toContain("[redacted]")
    expect(redactText(clean)).toBe(clean)
  })

  test("nothing that is no secret", () => {
    const text =
      "task_01234567-89ab-7cde-8f01-23456789abcd read tickets/SUP-1042 as triage-bot/pod-7f3c; the bearer of news"
    expect(redactText(text)).toBe(text)
  })

  test("its secrets in time that grows with it, whatever is in it", () => {
    const hostile = [
      "eyJ",
      "-----BEGIN PRIVATE KEY-----",
      "Bearer ",
      'Bearer "d":"',
      "gh",
      "sk-",
      "eyJaaaaaaaa.",
      "-eyJaaaaaaaa",
    ]
    for (const part of hostile) {
      const text = part.repeat(200_000 / part.length)
      const began = performance.now()
      redactText(text)
      expect(performance.now() - began).toBeLessThan(2000)
    }
  })
})

test("members with a secret's name are emptied, errors and circles are no way out", () => {
  const circle: Record<string, unknown> = {
    Authorization: "x",
    inner: { password: 1, kept: token },
    list: [token],
  }
  circle.self = circle
  const error = new Error(`failed with ${token}`, { cause: new Error(token) })
  const clean = redact({ circle, error, map: new Map([["cookie", "a=b"]]), text: "kept", when: 1 })
  expect(JSON.stringify(clean)).not.toContain(token)
  expect(clean).toMatchObject({
    circle: {
      Authorization: "[redacted]",
      inner: { password: "[redacted]", kept: "[redacted]" },
      list: ["[redacted]"],
    },
    error: { name: "Error", message: "failed with [redacted]", cause: { message: "[redacted]" } },
    map: { cookie: "[redacted]" },
    text: "kept",
    when: 1,
  })
})

test("wherever a token stands in what is logged, it does not come out", () => {
  const leaf = fc.oneof(fc.constant(token), fc.constant(`see ${proof}!`), fc.string(), fc.integer())
  const anything = fc.letrec((tie) => ({
    node: fc.oneof(
      { depthSize: "small" },
      leaf,
      fc.array(tie("node")),
      fc.dictionary(fc.string(), tie("node")),
    ),
  })).node
  fc.assert(
    fc.property(anything, (value) => {
      const text = JSON.stringify(redact(value)) ?? ""
      return ![...partsOf(token), ...partsOf(proof)].some((part) => text.includes(part))
    }),
    { seed: 9, numRuns: 300 },
  )
})

test("a pino logger with it as its formatter writes no token", () => {
  const lines: string[] = []
  const logger = pino(
    { formatters: { log: redact }, hooks: { streamWrite: redactText } },
    { write: (line: string) => void lines.push(line) },
  )
  logger.info({ req: { headers: { authorization: `Bearer ${token}`, host: "x" } }, note: token }, "asked")
  logger.error(new Error(token), `failed for ${token}`)
  logger.warn(`DPoP %s`, proof)
  for (const part of [...partsOf(token), ...partsOf(proof)]) expect(lines.join()).not.toContain(part)
  expect(lines.map((line) => JSON.parse(line).level)).toEqual([30, 50, 40])
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ req: { headers: { host: "x" } }, msg: "asked" })
})

test("spans reach their exporter without, and whole besides", () => {
  const exporter = new InMemorySpanExporter()
  const provider = new BasicTracerProvider({
    spanProcessors: [redactSpans(new SimpleSpanProcessor(exporter))],
  })
  const span = provider.getTracer("host").startSpan(`GET /?token=${token}`)
  span.setAttributes({
    "http.request.header.authorization": [`Bearer ${token}`],
    "url.query": `t=${token}`,
    kept: "yes",
  })
  span.addEvent("asked", { proof })
  span.recordException(new Error(token))
  span.setStatus({ code: 2, message: token })
  span.end()
  const [ended] = exporter.getFinishedSpans()
  const { name, attributes, events, status } = ended ?? {}
  expect(JSON.stringify({ name, attributes, events, status })).not.toMatch(/eyJ/)
  expect(attributes).toEqual({
    "http.request.header.authorization": "[redacted]",
    "url.query": "t=[redacted]",
    kept: "yes",
  })
  expect(ended?.spanContext().traceId).toBe(span.spanContext().traceId)
  expect(ended?.duration).toHaveLength(2)
})
