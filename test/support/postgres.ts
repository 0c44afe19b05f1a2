// A database of a test's own, on the run's PostgreSQL server (postgres-setup.ts).
import { randomBytes } from "node:crypto"
import { Client } from "pg"
import { afterAll, inject } from "vitest"

export interface TestDatabase {
  readonly address: string
  /** One statement over a connection of its own; answers its rows. */
  run(text: string): Promise<Record<string, unknown>[]>
  remove(): Promise<void>
}

async function serverAddress(): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${inject("postgresDesk")}`)
  const text = await answer.text()
  if (!answer.ok) throw new Error(text)
  return text
}

export async function createDatabase(server?: string): Promise<TestDatabase> {
  const at = server ?? (await serverAddress())
  const name = `${inject("postgresRun")}_${randomBytes(8).toString("hex")}`
  await runAt(at, `CREATE DATABASE ${name}`)
  const address = new URL(at)
  address.pathname = `/${name}`
  return {
    address: address.href,
    run: (text) => runAt(address.href, text),
    remove: async () => {
      await runAt(at, `DROP DATABASE ${name} WITH (FORCE)`)
    },
  }
}

/** Answers a maker of new databases; all are removed after the file's last test. */
export function createDatabases(): () => Promise<TestDatabase> {
  const made: TestDatabase[] = []
  afterAll(async () => {
    await Promise.all(made.map((one) => one.remove()))
  })
  return async () => {
    const database = await createDatabase()
    made.push(database)
    return database
  }
}

async function runAt(address: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new Client(address)
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}
