// Settings: flags first, then TASKMINT_* variables (of a secret, the file that TASKMINT_*_FILE names), then defaults. This
// is the only reader of the environment; what a setting means is decided where it is used.

import { wrongUse } from "./exit.ts"
import { readSecret } from "./secret-file.ts"

interface Setting {
  readonly variable: string
  readonly flag?: string
  readonly standard?: string
  /** A secret: taken out of the environment once read, so that no child inherits it. */
  readonly secret?: boolean
}

/**
 * Every setting there is. Secrets have no flag: a flag is seen by everyone on the computer. A database's address is one
 * only when it holds a password, which the flag may not.
 */
export const SETTINGS = {
  issuer: { variable: "TASKMINT_ISSUER", flag: "--issuer" },
  port: { variable: "TASKMINT_PORT", flag: "--port", standard: "8787" },
  host: { variable: "TASKMINT_HOST", flag: "--host", standard: "127.0.0.1" },
  database: { variable: "TASKMINT_DATABASE", flag: "--database", secret: true },
  copyTo: { variable: "TASKMINT_COPY_TO", flag: "--to", secret: true },
  policies: { variable: "TASKMINT_POLICIES", flag: "--policies" },
  keyEncryptionKey: { variable: "TASKMINT_KEY_ENCRYPTION_KEY", secret: true },
  keyRotation: { variable: "TASKMINT_KEY_ROTATION", flag: "--key-rotation", standard: "30d" },
  webhook: { variable: "TASKMINT_WEBHOOK", flag: "--webhook" },
  webhookAllowPrivate: {
    variable: "TASKMINT_WEBHOOK_ALLOW_PRIVATE",
    flag: "--webhook-allow-private",
  },
  consoleProvider: { variable: "TASKMINT_CONSOLE_PROVIDER", flag: "--console-provider" },
  consoleClientId: { variable: "TASKMINT_CONSOLE_CLIENT_ID", flag: "--console-client-id" },
  consoleClientSecret: { variable: "TASKMINT_CONSOLE_CLIENT_SECRET", secret: true },
  consoleScope: { variable: "TASKMINT_CONSOLE_SCOPE", flag: "--console-scope", standard: "openid" },
  plainHttp: { variable: "TASKMINT_DANGEROUSLY_ALLOW_PLAIN_HTTP" },
  managementPort: { variable: "TASKMINT_MANAGEMENT_PORT", flag: "--management-port" },
  managementHost: {
    variable: "TASKMINT_MANAGEMENT_HOST",
    flag: "--management-host",
    standard: "127.0.0.1",
  },
  archive: { variable: "TASKMINT_ARCHIVE", flag: "--archive" },
  retention: { variable: "TASKMINT_RETENTION", flag: "--retention" },
  clientAssertionFile: { variable: "TASKMINT_CLIENT_ASSERTION_FILE", flag: "--client-assertion-file" },
  clientId: { variable: "TASKMINT_CLIENT_ID", flag: "--client-id" },
  clientKeyFile: { variable: "TASKMINT_CLIENT_KEY_FILE", flag: "--client-key-file" },
  signInIssuer: { variable: "TASKMINT_SIGN_IN_ISSUER", flag: "--sign-in-issuer" },
  signInClientId: { variable: "TASKMINT_SIGN_IN_CLIENT_ID", flag: "--sign-in-client-id" },
  signInScope: { variable: "TASKMINT_SIGN_IN_SCOPE", flag: "--sign-in-scope", standard: "openid" },
  issuerAddress: { variable: "TASKMINT_ISSUER_ADDRESS", flag: "--issuer-address" },
  resource: { variable: "TASKMINT_RESOURCE", flag: "--resource" },
  routes: { variable: "TASKMINT_ROUTES", flag: "--routes" },
  upstream: { variable: "TASKMINT_UPSTREAM", flag: "--upstream" },
  spool: { variable: "TASKMINT_SPOOL", flag: "--spool", standard: "./uses.db" },
  ledgerKey: { variable: "TASKMINT_LEDGER_KEY", flag: "--ledger-key" },
  keyFile: { variable: "TASKMINT_KEY_FILE", flag: "--key-file" },
  guardPort: { variable: "TASKMINT_GUARD_PORT", flag: "--port", standard: "8788" },
} as const satisfies Record<string, Setting>

export type SettingName = keyof typeof SETTINGS
type Environment = Record<string, string | undefined>

export interface Settings {
  /** A setting, or undefined where nobody gave it and it has no default. An empty value counts as not given. */
  get(name: SettingName, flag?: string | undefined): string | undefined
  /** Whether a setting that is a switch is on. Stop (wrong use) when it is neither true nor false. */
  isOn(name: SettingName): boolean
  /** The same as `get`; Stop (wrong use) says how to give it. */
  need(name: SettingName, flag?: string | undefined): string
  /** Drops the secrets that came in the environment: whoever reads on finds none, in memory or by asking. */
  forgetSecrets(): void
  /** How the person called this program, for next steps that can be run as printed. */
  readonly command: string
}

export function createSettings(environment: Environment, script: string | undefined): Settings {
  const secrets = takeSecrets(environment)
  const get = (name: SettingName, flag?: string) => {
    const setting: Setting = SETTINGS[name]
    const given = (value: string | undefined) => (value === undefined || value === "" ? undefined : value)
    return (
      given(flag) ??
      given(secrets.get(setting.variable) ?? environment[setting.variable]) ??
      (setting.secret ? fromFile(environment[`${setting.variable}_FILE`], setting) : setting.standard)
    )
  }
  return {
    get,
    isOn: (name) => readSwitch(SETTINGS[name].variable, get(name)),
    need(name, flag) {
      const value = get(name, flag)
      if (value === undefined) throw missing(SETTINGS[name])
      return value
    },
    forgetSecrets: () => secrets.clear(),
    command: commandOf(environment, script),
  }
}

function readSwitch(variable: string, text: string | undefined): boolean {
  if (text === undefined || text === "false" || text === "0") return false
  if (text === "true" || text === "1") return true
  throw wrongUse(`${variable} is neither true nor false`)
}

function takeSecrets(environment: Environment): Map<string, string> {
  const taken = new Map<string, string>()
  for (const setting of Object.values<Setting>(SETTINGS)) {
    const value = environment[setting.variable]
    if (!setting.secret || value === undefined) continue
    taken.set(setting.variable, value)
    delete environment[setting.variable]
  }
  return taken
}

function fromFile(path: string | undefined, setting: Setting): string | undefined {
  if (path === undefined || path === "") return undefined
  return readSecret(path, `${setting.variable}_FILE`).trim()
}

function missing({ variable, flag }: Setting) {
  const ways =
    flag === undefined ? `Set ${variable}_FILE (or ${variable})` : `Give ${flag} or set ${variable}`
  return wrongUse(`${variable} is not set`, ways)
}

/** As a wrapper named itself, or `npm run taskmint --`, `npx taskmint`, `taskmint`, `node <path>`. */
function commandOf(environment: Environment, script = "taskmint"): string {
  if (/^[\w-]+$/.test(environment.TASKMINT_COMMAND ?? "")) return environment.TASKMINT_COMMAND ?? ""
  if (/^(taskmint|demo)$/.test(environment.npm_lifecycle_event ?? "")) return "npm run taskmint --"
  if (/[\\/]node_modules[\\/]/.test(script)) return "npx taskmint"
  return /[\\/]?taskmint$/.test(script) ? "taskmint" : `node ${script}`
}
