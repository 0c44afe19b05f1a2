#!/usr/bin/env node
// Where the command line begins: it makes sure that this Node can run the rest (the database driver crashes older ones)
// before anything else is loaded. What the arguments mean is program.ts's.
const NEEDED = [22, 12] as const

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
if (major < NEEDED[0] || (major === NEEDED[0] && minor < NEEDED[1])) {
  process.stderr.write(
    `taskmint needs Node ${NEEDED.join(".")} or newer; this is ${process.versions.node}.\n` +
      "In a clone of the project, `npm ci` brings its own Node: run `npm run taskmint -- <command>`.\n" +
      "Elsewhere, install a newer Node from https://nodejs.org and try again.\n",
  )
  process.exitCode = 2
} else {
  const { run } = await import("./program.ts")
  process.exitCode = await run(process.argv.slice(2))
}
