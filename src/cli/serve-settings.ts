// What `serve` needs, read and checked before anything is opened: flags, settings, and with --dev what it makes itself.
import { existsSync } from "node:fs"
import { url as debuggerAddress } from "node:inspector"
import { isLoopback } from "../client/address.ts"
import { isPostgres } from "../database/database.ts"
import type { ConsoleOptions } from "../issuer/console/provider.ts"
import type { WebhookOptions } from "../issuer/webhook.ts"
import { parseDuration } from "../time.ts"
import type { Algorithm } from "../token/signature.ts"
import type { Context } from "./context.ts"
import { pathsOf, writeExampleFolder } from "./example-folder.ts"
import { wrongUse } from "./exit.ts"
import type { ManagementPlace } from "./management.ts"
import { readKeyEncryptionKey, readSecret } from "./secret-file.ts"
import { SETTINGS, type Settings } from "./settings.ts"

export interface ServeFlags {
  readonly issuer?: string
  readonly host?: string
  readonly port?: string
  readonly managementPort?: string
  readonly managementHost?: string
  readonly database?: string
  readonly policies?: string
  readonly dev?: boolean
  readonly acceptRollback?: boolean
  readonly algorithm?: Algorithm
  readonly keyRotation?: string
  readonly retention?: string
  readonly archive?: string
  readonly webhook?: string
  readonly webhookAllowPrivate?: string
  readonly consoleProvider?: string
  readonly consoleClientId?: string
  readonly consoleScope?: string
  readonly logLevel: string
}

export interface ServeSettings {
  /** Undefined with --dev: then it is the address that it listens on. */
  readonly issuer: string | undefined
  readonly host: string
  readonly port: number
  /** Undefined: no listener for /metrics. */
  readonly management: ManagementPlace | undefined
  /** A path, or the address of a PostgreSQL database, which may hold a password. */
  readonly database: string
  readonly policies: string
  readonly keyEncryptionKey: Uint8Array
  readonly dev: boolean
  readonly acceptRollback: boolean
  readonly plainHttp: boolean
  readonly algorithm: Algorithm | undefined
  readonly keyRotationSeconds: number
  /** Undefined: nothing is archived. */
  readonly retentionSeconds: number | undefined
  /** Folder of files; undefined: what is archived stays in the database. */
  readonly archive: string | undefined
  /** Undefined: nobody is told. */
  readonly webhooks: WebhookOptions | undefined
  readonly console: ConsoleOptions
}

/** Where --dev keeps what it makes, below the current folder. */
const DEVELOPMENT_FOLDER = ".taskmint"

export function readServeSettings({ settings }: Pick<Context, "settings">, flags: ServeFlags): ServeSettings {
  const dev = flags.dev === true
  if (!dev) refuseDebugger()
  const host = settings.need("host", flags.host)
  if (dev && !isLoopback(host))
    throw wrongUse(`--dev listens on loopback only, and ${host} is not`, "Leave --host out, or --dev")
  const made = dev ? madeForDevelopment(settings, flags) : undefined
  return {
    issuer: dev ? settings.get("issuer", flags.issuer) : settings.need("issuer", flags.issuer),
    host,
    port: readPort(settings.need("port", flags.port)),
    management: readManagement(settings, flags),
    database: databaseOf(settings.get("database", flags.database), made?.database ?? "", settings, flags),
    policies:
      settings.get("policies", flags.policies) ?? made?.policies ?? settings.need("policies", flags.policies),
    keyEncryptionKey: readKeyEncryptionKey(
      settings.get("keyEncryptionKey") ?? made?.keyEncryptionKey ?? settings.need("keyEncryptionKey"),
    ),
    dev,
    acceptRollback: flags.acceptRollback === true,
    plainHttp: settings.isOn("plainHttp"),
    algorithm: flags.algorithm,
    keyRotationSeconds: readKeyRotation(settings.need("keyRotation", flags.keyRotation)),
    retentionSeconds: readRetention(settings.get("retention", flags.retention)),
    archive: settings.get("archive", flags.archive),
    webhooks: readWebhookOptions(settings, flags),
    console: readConsoleOptions(settings, flags),
  }
}

/** Its port reads and writes all memory, for everybody who reaches it. */
function refuseDebugger(): void {
  if (debuggerAddress() === undefined) return
  throw wrongUse(
    "Node's debugger is open, and whoever reaches its port can read every key",
    "Take --inspect away (also from NODE_OPTIONS), or try it out with --dev",
  )
}

/** With --dev, whatever was not given: the same folder again at the next start, so that its data stays readable. */
function madeForDevelopment(settings: Settings, flags: ServeFlags) {
  const given = (["policies", "database"] as const).every(
    (name) => settings.get(name, flags[name]) !== undefined,
  )
  if (given && settings.get("keyEncryptionKey") !== undefined) return undefined
  const { policies, database, keyEncryptionKeyFile } = existsSync(DEVELOPMENT_FOLDER)
    ? pathsOf(DEVELOPMENT_FOLDER)
    : writeExampleFolder(DEVELOPMENT_FOLDER)
  return { policies, database, keyEncryptionKey: readSecret(keyEncryptionKeyFile, "the key of --dev").trim() }
}

function databaseOf(
  address: string | undefined,
  made: string,
  settings: Settings,
  flags: ServeFlags,
): string {
  if (address === undefined) return made !== "" ? made : settings.need("database", flags.database)
  return databaseFromFlag(address, flags.database, "database")
}

/**
 * A path, or the address of a PostgreSQL database. Stop (wrong use) when it is neither, or when the flag it may have come by
 * holds a password.
 */
export function databaseFromFlag(
  address: string,
  flag: string | undefined,
  name: "database" | "copyTo",
): string {
  if (!isPostgres(address)) return sqlitePath(address, name)
  const url = URL.canParse(address) ? new URL(address) : undefined
  if (flag !== undefined && (url?.password !== "" || url.searchParams.has("password")))
    throw wrongUse(
      `${SETTINGS[name].flag} holds a password, or can't be read: a flag is seen by everyone on the computer`,
      `Set ${SETTINGS[name].variable}, or ${SETTINGS[name].variable}_FILE to a file that only you can read`,
    )
  return address
}

/** The path in a database's address. Stop (wrong use) when it is another kind of address. */
export function sqlitePath(address: string, name: "database" | "copyTo" = "database"): string {
  if (isPostgres(address))
    throw wrongUse(
      "this is of SQLite files: a PostgreSQL database is another",
      "Use sqlite:<path>, or PostgreSQL's own tools",
    )
  const path = /^sqlite:(.+)$/.exec(address)?.[1]
  if (path === undefined)
    throw wrongUse(
      `${SETTINGS[name].variable} is not an address`,
      "Write sqlite:<path>, as in sqlite:./taskmint.db, or postgres://user@host/database",
    )
  return path
}

/** What may be said of a database: a path, or which server and database, never who signs in or how. */
export function nameOfDatabase(database: string): string {
  if (!isPostgres(database)) return database
  const url = URL.canParse(database) ? new URL(database) : undefined
  return url ? `postgres://${url.host}${url.pathname}` : "on PostgreSQL"
}

/** Where those who watch the process ask; nowhere unless there is a port for it. */
export function readManagement(
  settings: Settings,
  flags: { readonly managementPort?: string; readonly managementHost?: string },
): ManagementPlace | undefined {
  const port = settings.get("managementPort", flags.managementPort)
  if (port === undefined) return undefined
  return { host: settings.need("managementHost", flags.managementHost), port: readPort(port) }
}

/** What the addresses must be like is the issuer's to say. */
function readWebhookOptions(settings: Settings, flags: ServeFlags): WebhookOptions | undefined {
  const addresses = listOf(settings.get("webhook", flags.webhook))
  const privateHosts = listOf(settings.get("webhookAllowPrivate", flags.webhookAllowPrivate))
  if (addresses.length > 0) return { addresses, privateHosts }
  if (privateHosts.length === 0) return undefined
  throw wrongUse("there is a private host for webhooks, and no webhook", "Give --webhook, too")
}

/** Whether the policy has such a provider is seen whenever somebody signs in: it may change while the issuer runs. */
function readConsoleOptions(settings: Settings, flags: ServeFlags): ConsoleOptions {
  const provider = settings.get("consoleProvider", flags.consoleProvider)
  const clientId = settings.get("consoleClientId", flags.consoleClientId)
  const clientSecret = settings.get("consoleClientSecret")
  const scope = settings.need("consoleScope", flags.consoleScope)
  if (!scope.split(" ").includes("openid"))
    throw wrongUse(
      "the console's scopes lack openid, without which nobody signs in",
      'Write it as in "openid email"',
    )
  return {
    ...(provider !== undefined && { provider }),
    ...(clientId !== undefined && { clientId }),
    ...(clientSecret !== undefined && { clientSecret }),
    scope,
  }
}

const listOf = (text = ""): string[] =>
  text
    .split(",")
    .map((one) => one.trim())
    .filter((one) => one !== "")

const HOUR_SECONDS = 3600

function readKeyRotation(text: string): number {
  const seconds = parseDuration(text)
  if (seconds !== undefined && seconds >= HOUR_SECONDS) return seconds
  throw wrongUse(`TASKMINT_KEY_ROTATION ${text} is no time of at least an hour`, "Write it as in 12h or 30d")
}

const DAY_SECONDS = 86_400

function readRetention(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const seconds = parseDuration(text)
  if (seconds !== undefined && seconds >= DAY_SECONDS) return seconds
  throw wrongUse(`TASKMINT_RETENTION ${text} is no time of at least a day`, "Write it as in 24h or 90d")
}

export function readPort(text: string): number {
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port > 65_535)
    throw wrongUse(
      `${text} is no port`,
      "Give a number from 0 to 65535 (in Kubernetes, a Service named taskmint sets TASKMINT_PORT: turn off enableServiceLinks)",
    )
  return port
}
