// What `serve` takes for the console: from flags, variables and a secret's file. What a provider makes of it is
// test/issuer/console-sign-in.test.ts's.
import { expect, test } from "vitest"
import { readServeSettings, type ServeFlags } from "../../src/cli/serve-settings.ts"
import { createSettings } from "../../src/cli/settings.ts"

const GIVEN = {
  TASKMINT_ISSUER: "https://taskmint.example",
  TASKMINT_DATABASE: "sqlite:./taskmint.db",
  TASKMINT_POLICIES: "policies",
  TASKMINT_KEY_ENCRYPTION_KEY: "A".repeat(43),
}

const read = (environment: Record<string, string>, flags: Partial<ServeFlags> = {}) =>
  readServeSettings(
    { settings: createSettings({ ...GIVEN, ...environment }, undefined) },
    { logLevel: "info", ...flags },
  ).console

test("nothing has to be said of it", () => {
  expect(read({})).toEqual({ scope: "openid" })
})

test("flags go before variables, and the secret is taken out of the environment", () => {
  const environment = {
    TASKMINT_CONSOLE_PROVIDER: "people",
    TASKMINT_CONSOLE_CLIENT_ID: "taskmint-console",
    TASKMINT_CONSOLE_CLIENT_SECRET: "secret",
    TASKMINT_CONSOLE_SCOPE: "openid email",
  }
  expect(read(environment, { consoleProvider: "staff" })).toEqual({
    provider: "staff",
    clientId: "taskmint-console",
    clientSecret: "secret",
    scope: "openid email",
  })
  const left: Record<string, string | undefined> = { ...environment }
  createSettings(left, undefined)
  expect(left).not.toHaveProperty("TASKMINT_CONSOLE_CLIENT_SECRET")
})

test("scopes without openid are wrong use, and said to be", () => {
  expect(() => read({ TASKMINT_CONSOLE_SCOPE: "email groups" })).toThrow("lack openid")
})
