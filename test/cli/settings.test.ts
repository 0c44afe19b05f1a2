import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, test } from "vitest"
import { Stop } from "../../src/cli/exit.ts"
import { databaseFromFlag, nameOfDatabase } from "../../src/cli/serve-settings.ts"
import { createSettings, SETTINGS } from "../../src/cli/settings.ts"

const folder = mkdtempSync(join(tmpdir(), "taskmint-settings-"))
afterAll(() => rmSync(folder, { recursive: true }))

function file(name: string, text: string, mode = 0o600): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  chmodSync(path, mode)
  return path
}

describe("a setting comes from the flag, then the variable, then the default", () => {
  const cases: readonly (readonly [
    string,
    string | undefined,
    Record<string, string>,
    string | undefined,
  ])[] = [
    ["flag", "https://flag.example", { TASKMINT_ISSUER: "https://variable.example" }, "https://flag.example"],
    ["variable", undefined, { TASKMINT_ISSUER: "https://variable.example" }, "https://variable.example"],
    [
      "an empty flag is none",
      "",
      { TASKMINT_ISSUER: "https://variable.example" },
      "https://variable.example",
    ],
    ["an empty variable is none", undefined, { TASKMINT_ISSUER: "" }, undefined],
    ["nothing", undefined, {}, undefined],
  ]
  for (const [what, flag, environment, value] of cases)
    test(what, () => {
      expect(createSettings({ ...environment }, undefined).get("issuer", flag)).toBe(value)
    })

  test("a secret comes from its variable, or from the file that is named, trimmed", () => {
    const named = { TASKMINT_KEY_ENCRYPTION_KEY_FILE: file("key", "from the file\n") }
    expect(createSettings({ ...named }, undefined).get("keyEncryptionKey")).toBe("from the file")
    const both = { ...named, TASKMINT_KEY_ENCRYPTION_KEY: "from the variable" }
    expect(createSettings(both, undefined).get("keyEncryptionKey")).toBe("from the variable")
  })

  for (const [text, on] of [
    ["true", true],
    ["1", true],
    ["false", false],
    ["0", false],
    ["", false],
  ] as const)
    test(`a switch that is "${text}" is ${on ? "on" : "off"}`, () => {
      expect(
        createSettings({ TASKMINT_DANGEROUSLY_ALLOW_PLAIN_HTTP: text }, undefined).isOn("plainHttp"),
      ).toBe(on)
    })

  test("a switch that is neither is refused", () => {
    const settings = createSettings({ TASKMINT_DANGEROUSLY_ALLOW_PLAIN_HTTP: "ja" }, undefined)
    expect(() => settings.isOn("plainHttp")).toThrow(Stop)
  })

  test("defaults are the contract's", () => {
    const settings = createSettings({}, undefined)
    expect([settings.get("port"), settings.get("host")]).toEqual(["8787", "127.0.0.1"])
  })

  test("what is missing is said with every way to give it", () => {
    const need = () => createSettings({}, undefined).need("issuer")
    expect(need).toThrow(Stop)
    expect(need).toThrow(
      expect.objectContaining({ exitCode: 2, hint: expect.stringMatching(/--issuer.*TASKMINT_ISSUER/) }),
    )
  })

  test("a secret has no flag, for a flag is seen by everyone", () => {
    expect(SETTINGS.keyEncryptionKey).not.toHaveProperty("flag")
  })
})

describe("next steps are printed as this program was called", () => {
  const cases: readonly (readonly [Record<string, string>, string | undefined, string])[] = [
    [{ npm_lifecycle_event: "taskmint" }, "/x/src/cli/main.ts", "npm run taskmint --"],
    [{ npm_lifecycle_event: "demo" }, "/x/src/cli/main.ts", "npm run taskmint --"],
    [{}, "/x/node_modules/.bin/taskmint", "npx taskmint"],
    [{}, "/usr/local/bin/taskmint", "taskmint"],
    [{}, "/x/src/cli/main.ts", "node /x/src/cli/main.ts"],
    [{}, undefined, "taskmint"],
  ]
  for (const [environment, script, command] of cases)
    test(command, () => {
      expect(createSettings(environment, script).command).toBe(command)
    })
})

describe("a database's address", () => {
  const SECRETS = [
    "postgres://ana:canary@db.example/taskmint",
    "postgresql://ana:canary@db.example:5432/taskmint?sslmode=require",
    "postgres://db.example/taskmint?user=ana&password=canary",
    "postgres://ana:can ary@[db/taskmint",
  ]

  test.each(SECRETS)("%s is taken from no flag, and said to nobody", (address) => {
    const read = () => databaseFromFlag(address, address, "database")
    expect(read).toThrow(
      expect.objectContaining({ exitCode: 2, hint: expect.not.stringContaining("canary") }),
    )
    expect(read).not.toThrow("canary")
    expect(databaseFromFlag(address, undefined, "database")).toBe(address)
    expect(nameOfDatabase(address)).not.toMatch(/canary|can ary|ana/)
  })

  test.each([
    ["postgres://ana@db.example/taskmint", "postgres://ana@db.example/taskmint"],
    ["sqlite:./taskmint.db", "./taskmint.db"],
  ])("%s holds none, and may come by a flag", (address, read) => {
    expect(databaseFromFlag(address, address, "database")).toBe(read)
  })

  test.each(["./taskmint.db", "sqlite:", "mysql://x/y", ""])("%j is none", (address) => {
    expect(() => databaseFromFlag(address, undefined, "database")).toThrow(Stop)
  })
})
