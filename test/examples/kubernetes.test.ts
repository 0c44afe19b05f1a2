// The manifests for Kubernetes, without a cluster: objects fit each other, ports and commands are the code's, and what is
// mounted is what `taskmint init` makes and the issuer loads.
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterAll, describe, expect, test } from "vitest"
import { parse, parseAllDocuments } from "yaml"
import { writeExampleFolder } from "../../src/cli/example-folder.ts"
import { readRoutesFile } from "../../src/cli/routes-file.ts"
import { readSecret, writeNew } from "../../src/cli/secret-file.ts"
import { runCli } from "../support/command-line.ts"
import { ROOT } from "../support/source.ts"

const folder = mkdtempSync(join(tmpdir(), "taskmint-kubernetes-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Container {
  readonly name: string
  readonly args?: string[]
  readonly env: { name: string; value: string }[]
  readonly ports?: { name: string; containerPort: number }[]
  readonly volumeMounts?: { name: string; mountPath: string }[]
  readonly securityContext?: object
  readonly [probe: `${string}Probe`]: { httpGet: { path: string; port: string } } | undefined
}
interface Volume {
  readonly name: string
  readonly configMap?: { name: string; items?: { key: string; path: string }[] }
  readonly secret?: { secretName: string; defaultMode: number }
}
interface Resource {
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly data?: Readonly<Record<string, string>>
  readonly spec: {
    readonly replicas: number
    readonly selector: { readonly matchLabels: object }
    readonly ports: { port: number; targetPort: string }[]
    readonly volumeClaimTemplates?: { metadata: { name: string }; spec: { accessModes: string[] } }[]
    readonly template: {
      readonly metadata: { readonly labels: object; readonly annotations: Readonly<Record<string, string>> }
      readonly spec: {
        readonly containers: Container[]
        readonly volumes: Volume[]
        readonly enableServiceLinks: boolean
        readonly terminationGracePeriodSeconds: number
        readonly securityContext: { readonly runAsNonRoot: boolean; readonly runAsUser: number }
      }
    }
  }
}
interface Kustomization {
  readonly resources: string[]
  readonly configMapGenerator: { name: string; files: string[] }[]
  readonly secretGenerator: { name: string; files: string[] }[]
}

const read = (name: string) => readFileSync(join(ROOT, "examples/kubernetes", name), "utf8")
const kustomization = parse(read("kustomization.yaml")) as Kustomization
const resources = kustomization.resources.flatMap((name) =>
  parseAllDocuments(read(name)).map((document) => document.toJS() as Resource),
)
const find = (kind: string, name: string): Resource => {
  const found = resources.find((one) => one.kind === kind && one.metadata.name === name)
  if (!found) throw new Error(`no ${kind} ${name}`)
  return found
}
const issuer = find("StatefulSet", "taskmint")
const tickets = find("Deployment", "tickets")
const containerOf = (resource: Resource, name: string): Container => {
  const found = resource.spec.template.spec.containers.find((one) => one.name === name)
  if (!found) throw new Error(`no container ${name}`)
  return found
}
const OURS = [
  ["issuer", issuer, containerOf(issuer, "issuer"), "TASKMINT_PORT"],
  ["guard", tickets, containerOf(tickets, "guard"), "TASKMINT_GUARD_PORT"],
] as const
const settingOf = (container: Container, name: string) =>
  container.env.find((one) => one.name === name)?.value

describe.each(OURS)("%s", (_name, resource, container, portSetting) => {
  const pod = resource.spec.template
  const portNamed = (name: string) => container.ports?.find((one) => one.name === name)?.containerPort

  test("ports are those of the settings, Services and annotations", () => {
    const [main] = container.ports ?? []
    expect(String(main?.containerPort)).toBe(settingOf(container, portSetting))
    expect(String(portNamed("management"))).toBe(settingOf(container, "TASKMINT_MANAGEMENT_PORT"))
    expect(pod.metadata.annotations["prometheus.io/port"]).toBe(
      settingOf(container, "TASKMINT_MANAGEMENT_PORT"),
    )
    const service = find("Service", resource.metadata.name)
    expect(service.spec.ports.map((one) => portNamed(one.targetPort))).toEqual([main?.containerPort])
    for (const setting of ["TASKMINT_HOST", "TASKMINT_MANAGEMENT_HOST"])
      expect(settingOf(container, setting)).toBe("0.0.0.0")
  })

  test("probes ask the management port for what is there", () => {
    const asked = Object.entries(container).filter(([key]) => key.endsWith("Probe"))
    expect(asked.length).toBeGreaterThanOrEqual(2)
    for (const [key] of asked) {
      const probe = container[key as `${string}Probe`]?.httpGet
      expect(probe).toEqual({ path: key === "readinessProbe" ? "/readyz" : "/livez", port: "management" })
    }
  })

  test("is not root, writes nothing beside its volumes, and has time to end", () => {
    expect(pod.spec.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000 })
    expect(container.securityContext).toMatchObject({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    })
    expect(pod.spec.terminationGracePeriodSeconds).toBeGreaterThan(10)
    expect(pod.spec.enableServiceLinks).toBe(false)
    expect(resource.spec.selector.matchLabels).toEqual(pod.metadata.labels)
  })

  test("every mount has its volume, and every volume its source", () => {
    const claims = resource.spec.volumeClaimTemplates?.map((one) => one.metadata.name) ?? []
    const volumes = pod.spec.volumes.map((one) => one.name)
    for (const { name } of container.volumeMounts ?? []) expect([...volumes, ...claims]).toContain(name)
    const made = [...kustomization.configMapGenerator, ...kustomization.secretGenerator].map(
      (one) => one.name,
    )
    const written = resources.filter((one) => one.kind === "ConfigMap").map((one) => one.metadata.name)
    for (const { configMap, secret } of pod.spec.volumes)
      expect([...made, ...written]).toContain(configMap?.name ?? secret?.secretName)
  })

  test("files that settings name lie in what is mounted", () => {
    const mounts = container.volumeMounts?.map((one) => one.mountPath) ?? []
    const named = container.env.filter(({ name }) => /_FILE$|POLICIES|ROUTES|DATABASE/.test(name))
    expect(named.length).toBeGreaterThan(1)
    for (const { value } of named)
      expect([value, mounts.some((path) => value.replace("sqlite:", "").startsWith(path))]).toEqual([
        value,
        true,
      ])
  })
})

test("the issuer is one process on a volume of its own", () => {
  expect(issuer.spec.replicas).toBe(1)
  expect(issuer.spec.volumeClaimTemplates?.[0]?.spec.accessModes).toEqual(["ReadWriteOncePod"])
})

test("only the guard is reached from outside the pod, and it goes where the API listens", () => {
  const api = containerOf(tickets, "tickets")
  expect(api.ports).toBeUndefined()
  expect(settingOf(api, "HOST")).toBe("127.0.0.1")
  expect(settingOf(containerOf(tickets, "guard"), "TASKMINT_UPSTREAM")).toBe(
    `http://127.0.0.1:${settingOf(api, "PORT")}`,
  )
})

describe("what is mounted", () => {
  const made = writeExampleFolder(join(folder, "acme"))

  test("policies: what `init` makes, all that the issuer reads of it, where it looks for it, and valid", async () => {
    const volume = issuer.spec.template.spec.volumes.find((one) => one.name === "policies")
    const files = kustomization.configMapGenerator[0]?.files ?? []
    const policies = made.files.filter(
      (path) => path.startsWith(made.policies) && !path.includes("/scenarios/"),
    )
    expect(files.map((name) => join(made.folder, name)).sort()).toEqual(policies.sort())
    const mounted = join(folder, "mounted")
    for (const { key, path } of volume?.configMap?.items ?? []) {
      const source = files.find((name) => name.endsWith(`/${key}`)) ?? ""
      mkdirSync(dirname(join(mounted, path)), { recursive: true })
      cpSync(join(made.folder, source), join(mounted, path))
    }
    const { code, stdout } = await runCli(["policy", "check", mounted])
    expect([code, stdout]).toEqual([0, expect.stringContaining("4 tasks, 2 apis")])
  })

  test("secrets: files that `init` makes, in a mode that is taken", () => {
    for (const { files } of kustomization.secretGenerator)
      for (const name of files) expect([name, existsSync(join(made.folder, name))]).toEqual([name, true])
    const secrets = [issuer, tickets].flatMap((one) =>
      one.spec.template.spec.volumes.flatMap((each) => each.secret ?? []),
    )
    expect(secrets.map(({ defaultMode }) => defaultMode)).toEqual([0o440, 0o440])
  })

  test("routes: read by the guard", () => {
    const path = join(folder, "routes.yaml")
    writeNew(path, find("ConfigMap", "tickets-routes").data?.["routes.yaml"] ?? "")
    chmodSync(path, 0o644)
    expect(readRoutesFile(path)).toHaveLength(2)
    expect(readSecret(made.keyEncryptionKeyFile, "key")).not.toBe("")
  })
})

test("what runs is what the command line has", async () => {
  for (const [, , container] of OURS) {
    const [command = "", ...flags] = container.args ?? []
    const { stdout } = await runCli([command, "--help"])
    for (const flag of flags.filter((one) => one.startsWith("--"))) expect(stdout).toContain(flag)
  }
})
