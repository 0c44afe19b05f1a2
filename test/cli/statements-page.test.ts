// docs/statements.md against the code: its members are those that are signed, its check finds what was changed, its commands
// and exit codes are there.
import { spawnSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { EXIT } from "../../src/cli/exit.ts"
import { STATEMENT_MEMBERS } from "../../src/issuer/statement-schema.ts"
import { createFolders } from "../support/folder.ts"
import { ROOT } from "../support/source.ts"
import { KEY, OPENED, STATEMENT } from "../support/statement.ts"

const newFolder = createFolders()
const page = readFileSync(join(ROOT, "docs/statements.md"), "utf8")
const block = (name: string): string =>
  new RegExp(`^\`\`\`${name}\\n([\\s\\S]*?)^\`\`\``, "m").exec(page)?.[1] ?? ""
const section = (title: string): string => page.split(`## ${title}\n`)[1]?.split("\n## ")[0] ?? ""

test("every member of a statement is explained, and no other", () => {
  const text = section("What it says")
  const named = new Set([...text.matchAll(/`([a-z_]+)`/g)].map(([, name = ""]) => name))
  expect(STATEMENT_MEMBERS.filter((one) => !named.has(one))).toEqual([])
  const first = [...text.matchAll(/^\| (`[^|]*) \|/gm)].flatMap(
    ([, cell = ""]) => cell.match(/[a-z_]+/g) ?? [],
  )
  expect(first.length).toBeGreaterThan(10)
  expect(first.filter((one) => !STATEMENT_MEMBERS.includes(one))).toEqual([])
})

test("its check says which values are those that were signed", () => {
  const folder = newFolder()
  const script = join(folder, "check.mjs")
  writeFileSync(script, block("js check"))
  const say = (values: readonly object[]) => {
    const personal = { key: Buffer.from(KEY).toString("base64url"), values }
    const file = join(folder, "statement.json")
    writeFileSync(file, JSON.stringify({ statement: STATEMENT, personal }))
    return spawnSync(process.execPath, [script, file], { encoding: "utf8" }).stdout.trim().split("\n")
  }
  expect(say(OPENED)).toEqual(OPENED.map(({ name }) => `as signed ${name}`))
  expect(say(OPENED.map((one) => ({ ...one, value: "x" })))).toEqual(
    OPENED.map(({ name }) => `NOT AS SIGNED ${name}`),
  )
})

test("its exit codes are those of the command line", () => {
  const codes = [...section("Check one that somebody gave you").matchAll(/^\| (\d) \| (\w+)/gm)]
  expect(codes.map(([, code, word]) => [Number(code), word])).toEqual([
    [EXIT.done, "genuine"],
    [EXIT.no, "not"],
    [EXIT.wrongUse, "wrong"],
    [EXIT.cannotTell, "could"],
  ])
})
