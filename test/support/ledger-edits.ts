// What somebody with a database at hand does to a ledger, as SQL.

/** Both tables of an entry, whole. */
export const both = (sql: (table: string) => string) => ["entry_bytes", "entry"].map(sql)
export const swap = (a: number, b: number) => [
  ...both((table) => `UPDATE ${table} SET seq = 100000 WHERE seq = ${a}`),
  ...both((table) => `UPDATE ${table} SET seq = ${a} WHERE seq = ${b}`),
  ...both((table) => `UPDATE ${table} SET seq = ${b} WHERE seq = 100000`),
]
export const shift = (from: number, by: 1 | -1) =>
  both((table) => `UPDATE ${table} SET seq = -(seq + ${by}) WHERE seq >= ${from}`).concat(
    both((table) => `UPDATE ${table} SET seq = -seq WHERE seq < 0`),
  )
export const remove = (seq: number) => both((table) => `DELETE FROM ${table} WHERE seq = ${seq}`)
export const copyTo = (from: number, to: number) => [
  `INSERT INTO entry SELECT ${to}, at, kind, task, token, agent, instance, orchestrator, api, operation, outcome, code,
    subject, resource, reference FROM entry WHERE seq = ${from}`,
  `INSERT INTO entry_bytes SELECT ${to}, bytes, leaf, personal, key FROM entry_bytes WHERE seq = ${from}`,
]
