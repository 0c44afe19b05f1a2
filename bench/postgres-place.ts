// Databases of their own on the server that a benchmark started.
import { Client } from "pg"

/** Answers its address. */
export async function createDatabase(server: string, name: string): Promise<string> {
  const client = new Client(server)
  await client.connect()
  await client.query(`CREATE DATABASE ${name}`)
  await client.end()
  const address = new URL(server)
  address.pathname = `/${name}`
  return address.href
}
