// Texts that would change a statement, a pattern or a cursor if they were pasted into one, made by rules: what closes a
// literal, what follows, what makes the rest a comment. Always the same ones, in the same order.

const CLOSING = [
  "",
  "'",
  '"',
  "`",
  "')",
  '")',
  "'))",
  "]",
  "\\'",
  "'||",
  "%27",
  "\u02bc",
  "\uff07",
  "''",
  "1",
  "1)",
]
const COMMENTS = ["", "--", "-- -", "/*", "#", ";--", ";\0"]
const CLAUSES = [
  " OR 1=1",
  " OR '1'='1",
  ' OR "a"="a',
  " OR TRUE",
  " AND 1=0",
  " UNION SELECT bytes FROM entry_bytes",
  " UNION ALL SELECT NULL,NULL,NULL",
  ";DROP TABLE task",
  ";DELETE FROM entry",
  ";UPDATE task SET state='active'",
  " AND (SELECT count(*) FROM signing_key)>0",
  "||(SELECT text FROM subject LIMIT 1)||",
  " ORDER BY 99",
  " LIMIT 0,1",
  ";ATTACH DATABASE '/tmp/x' AS x",
  ";COPY entry TO PROGRAM 'id'",
  " AND pg_sleep(9) IS NULL",
  " AND randomblob(100000000) IS NULL",
  ";PRAGMA writable_schema=1",
  " COLLATE NOCASE",
  " IS NOT NULL",
]
/** Who is a name, and what is a column or a placeholder. */
const OTHERS = [
  "admin'--",
  "' OR ''='",
  "'='",
  "' LIKE '",
  "x' AND email IS NULL; --",
  "seq",
  '"; drop table "entry',
  "e.seq",
  "$1",
  "?1",
  ":task",
  "@task",
  "${task}",
  "{{task}}",
  "\0",
  "a\0b",
  "\\",
  "\\x27",
  "0x27",
  "char(39)",
  "\u2019 OR 1=1",
  "\ufffd'",
  "'\n OR\n 1=1",
  "'/**/OR/**/1=1",
  "' oR 1=1",
  "1e309",
  "-1",
  "9223372036854775808",
  "NaN",
  "null",
  "undefined",
  "true",
  "[object Object]",
  "__proto__",
  "constructor",
]

/** SQL where a value should be: more than two thousand are made, about seven hundred of them kept. */
export function injections(): string[] {
  const found = new Set(OTHERS)
  let at = 0
  for (const closing of CLOSING)
    for (const clause of CLAUSES)
      for (const comment of COMMENTS) if (at++ % 3 === 0) found.add(`${closing}${clause}${comment}`)
  return [...found]
}

/** Patterns of LIKE, GLOB, regular expressions, full text and JSON paths that the text itself would meet. */
export function wildcards(text: string): string[] {
  const [first = "", last = ""] = [text.slice(0, 1), text.slice(-1)]
  const middle = text.slice(1)
  return [
    "%",
    "_",
    "*",
    "?",
    "[",
    `${first}%`,
    `%${last}`,
    `_${middle}`,
    `?${middle}`,
    `[${first}]${middle}`,
    `[!-~]${middle}`,
    `${first}*`,
    `\\${text}`,
    `^${text}$`,
    `(${text})`,
    ".*",
    `"${text}"`,
    `${text}*`,
    `${text} OR x`,
    `NEAR(${text})`,
    "$",
    "$.*",
    `$."${text}"`,
    text.toUpperCase(),
    ` ${text}`,
    `${text} `,
    `${text}\0`,
  ].filter((one) => one !== text)
}

/** What is not a cursor that was given out, made from one that was. */
export function cursors(given: string): string[] {
  return [
    "",
    "0",
    "-1",
    "1e3",
    "0x10",
    "NaN",
    "null",
    " ",
    `${given} `,
    ` ${given}`,
    `${given}=`,
    `${given}\0`,
    `+${given}`,
    `-${given}`,
    given.toUpperCase() === given ? `${given}.0` : given.toUpperCase(),
    `${given}'`,
    Buffer.from("-1").toString("base64url"),
    Buffer.from("1e3").toString("base64url"),
    Buffer.from("1 OR 1=1").toString("base64url"),
    Buffer.from('{"seq":1}').toString("base64url"),
    Buffer.from("01").toString("base64url"),
    Buffer.from("9".repeat(16)).toString("base64url"),
    Buffer.from("7").toString("base64"),
    "A".repeat(4096),
  ].filter((one) => one !== given)
}
