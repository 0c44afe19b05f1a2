// Catalogue K13 and K14: what callers put in filters, paths and bodies is data. The list of what is taken comes from
// the issuer's own document, so that a new filter is attacked by itself.
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { injections, wildcards } from "../support/injections.ts"
import { type House, openHouse, START } from "../support/issuer-house.ts"
import { listSources, ROOT } from "../support/source.ts"
import { type Asked, emptyBody, lineWith, type Parameter, surfaceOf } from "../support/surface.ts"
import { tablesHeld } from "../support/tables-held.ts"

let house: House
let surface: Asked[]
/** Of each text that is looked for, one that is there. */
const KNOWN: Record<string, string> = {
  reference: "run-7",
  agent: "triage-bot",
  instance: "pod-1",
  orchestrator: "support-orchestrator",
  sub: "support-orchestrator",
  api: "tickets",
  operation: "tickets:close",
  resource: "tickets/SUP-1042",
  type: "triage-ticket",
  value: "summarizer",
  code: "input_invalid",
}
/** What is spelled in a way of its own: times, cursors, numbers. */
const NO_TEXT = /^(from|to|after|before|below|limit)$/

beforeAll(async () => {
  house = await openHouse()
  surface = await surfaceOf(house)
  const as = "support-orchestrator"
  const json = { ...START, reference: KNOWN.reference }
  const { body } = await house.ask("POST", "/tasks", { as, json })
  const { operation, resource } = KNOWN
  const question = { task_id: body.task_id, operation, resource, reason: "It is solved" }
  expect((await house.ask("POST", "/approvals", { as, json: question })).status).toBe(201)
  const shown = await house.ask("GET", `/tasks/${body.task_id}`, { as })
  KNOWN.task = String(body.task_id)
  KNOWN.jti = (shown.body.tokens as { jti: string }[])[0]?.jti ?? ""
  KNOWN.rule = (shown.body.grants as { rule: string }[])[0]?.rule ?? ""
  await house.issuer.sweep()
})
afterAll(() => house.remove())

interface Place {
  readonly asked: Asked
  readonly given: Parameter
}
const places = (kind: Parameter["place"]): Place[] =>
  surface.flatMap((asked) =>
    asked.parameters.filter(({ place }) => place === kind).map((given) => ({ asked, given })),
  )

/** What is told, without what differs from answer to answer; of a page what it shows, and how many rows. */
async function answerTo({ asked, given }: Place, text: string): Promise<{ status: number; body: string }> {
  const [as] = asked.callers
  const answer = await house.call(asked.method, lineWith(asked, given, text), {
    ...(as && { as }),
    ...emptyBody(asked),
  })
  const body = (await answer.text()).replace(/"(request_id|checkpoint|at|entries|up_to)":("[^"]*"|\d+)/g, "")
  return { status: answer.status, body: body.startsWith("<!doctype") ? rowsOf(body) : body }
}

/** A page repeats what was looked for in its form and its links. */
const rowsOf = (page: string) => `${page.split("<tr").length} rows`

/** As many at a time as there may be exports: one commit for several readings. */
async function each<T>(all: readonly T[], one: (item: T) => Promise<void>): Promise<void> {
  for (let from = 0; from < all.length; from += 4) await Promise.all(all.slice(from, from + 4).map(one))
}

const PLACE_AMONG_NAMES = /^GET \/console\/agents after /
const EVERYWHERE = [
  "'",
  '"',
  "\\",
  "\0",
  "a\0b",
  "' OR '1'='1",
  '" OR "1"="1',
  "1;DROP TABLE task--",
  "\ufffd\u{10ffff}",
]

/** Words of the engines' own messages, and of statements. */
const TELLS = /sqlite|postgres|syntax error|near \\?"|SELECT |INSERT |FROM entry|unterminated/i

const rowsHeld = async () =>
  new Map(
    [...(await tablesHeld(house.database))]
      .filter(([name]) => !/^(entry|ledger|name|spent|client_hour|setting|subject|rollup)/.test(name))
      .map(([name, { digest }]) => [name, digest]),
  )

describe("K13 injected SQL", () => {
  test("K13 the list of what is taken is whole: it holds the filters of the ledger", () => {
    const names = places("query").map(({ asked, given }) => `${asked.path} ${given.name}`)
    for (const name of ["task", "reference", "sub", "resource", "kind", "from", "after", "limit"])
      expect(names).toContain(`/ledger/entries ${name}`)
    expect(places("path").length).toBeGreaterThan(10)
    expect(injections().length).toBeGreaterThan(600)
  })

  test("K13 finds, ends, changes and tells nothing, in whatever filter, cursor or path it stands", async () => {
    const all = [...places("query"), ...places("path")]
    const before = await rowsHeld()
    const harmless = new Map<string, { status: number; body: string }>()
    const keyOf = ({ asked, given }: Place) => `${asked.method} ${asked.path} ${given.name}`
    await each(all, async (place) => void harmless.set(keyOf(place), await answerTo(place, "zz-9")))
    const texts = injections()
    // In each place what any of them could be hurt by, and each text somewhere.
    const tried = [
      ...all.flatMap((place) => EVERYWHERE.map((text) => ({ place, text }))),
      ...texts.map((text, at) => ({ place: all[at % all.length] as Place, text })),
    ]
    await each(tried, async ({ place, text }) => {
      const { status, body } = await answerTo(place, text)
      const like = harmless.get(keyOf(place))
      const what = `${keyOf(place)} ${JSON.stringify(text)}`
      expect([400, 404, like?.status], what).toContain(status)
      expect(body, what).not.toMatch(TELLS)
      // Where names go on is a place among names, whatever it is called.
      if (status !== 200 || PLACE_AMONG_NAMES.test(what)) return
      expect(body.replaceAll(/zz-9/g, ""), what).toBe(like?.body.replaceAll(/zz-9/g, ""))
    })
    expect(house.faults).toEqual([])
    expect(await rowsHeld()).toEqual(before)
  })
})

test("K13 SQL is written where statements are, and where requests come in none is put together of texts", () => {
  const texts = listSources("src").map((path) => [path, readFileSync(join(ROOT, path), "utf8")] as const)
  const writers = texts
    .filter(([, text]) => /from "(\.{1,2}\/(database\/)?drizzle\.ts|drizzle-orm[^"]*)"/.test(text))
    .map(([path]) => path)
  expect(writers.length).toBeGreaterThan(20)
  expect(writers.filter((path) => !/^src\/database\/|statements\.ts$/.test(path))).toEqual([])
  const raw = texts.filter(([, text]) => /\bsql\.(raw|identifier)\(/.test(text)).map(([path]) => path)
  expect(raw.length).toBeGreaterThan(3)
  expect(raw.filter((path) => /^src\/(issuer|console|cli)\//.test(path))).toEqual([])
})

test("K13 stored and looked for again, SQL is the text that it was", async () => {
  const as = "support-orchestrator"
  const texts = injections().filter((_, at) => at % 40 === 0)
  await each(texts, async (text) => {
    const json = { ...START, purpose: `why ${text}`, reference: text }
    const { status, body } = await house.ask("POST", "/tasks", { as, json })
    // Some have control characters, which neither of the two may have.
    expect(status, text).toBe(/[\0-\x1f]/.test(text) ? 400 : 201)
    if (status === 400) return
    const line = `/ledger/entries?kind=task.started&reference=${encodeURIComponent(text)}`
    const { entries } = (await house.ask("GET", line, { as: "audit-team" })).body
    expect(entries, text).toMatchObject([{ task_id: body.task_id, body: { purpose: `why ${text}` } }])
  })
})

describe("K14 wildcards", () => {
  test("K14 there is a known value for each text that can be looked for", () => {
    const names = places("query")
      .filter(({ given }) => given.words.length === 0 && !NO_TEXT.test(given.name))
      .map(({ given }) => given.name)
    expect([...new Set(names)].filter((name) => !KNOWN[name])).toEqual([])
  })

  test("K14 of LIKE, GLOB, regular expressions, full text and JSON paths are plain text in every filter", async () => {
    const found = new Set<string>()
    await each(places("query"), async (place) => {
      const known = place.given.words.length === 0 ? KNOWN[place.given.name] : undefined
      if (known === undefined) return
      const none = await answerTo(place, "zz-9")
      const there = await answerTo(place, known)
      if (there.body !== none.body) found.add(`${place.asked.path} ${place.given.name}`)
      for (const text of wildcards(known)) {
        const answer = await answerTo(place, text)
        const what = `${place.asked.path} ${place.given.name} ${JSON.stringify(text)}`
        if (answer.status === 200) expect(answer, what).toEqual(none)
        else expect([400, 404], what).toContain(answer.status)
      }
    })
    for (const name of Object.keys(KNOWN).filter((one) => !/^(type|rule|value|code)$/.test(one)))
      expect(found, "what is there is found by itself").toContain(`/ledger/entries ${name}`)
  })
})
