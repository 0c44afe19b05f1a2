// What a running command measures, for Prometheus: the OpenTelemetry SDK, registered before anything that is measured is
// made, and the answer to a scrape. It decides how metrics leave the process; what is measured is told where it happens.
import type { RequestListener } from "node:http"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { metrics } from "@opentelemetry/api"

export interface Metrics {
  /** Prometheus' text format, version 0.0.4. */
  readonly answer: RequestListener
  stop(): Promise<void>
}

/** Loaded only where somebody asked for it: the SDK takes memory and time. */
export async function startMetrics(): Promise<Metrics> {
  const [{ PrometheusExporter }, { MeterProvider }] = await Promise.all([
    import("@opentelemetry/exporter-prometheus"),
    import("@opentelemetry/sdk-metrics"),
  ])
  const exporter = new PrometheusExporter({
    preventServerStart: true,
    withoutScopeInfo: true,
    withoutTargetInfo: true,
  })
  const provider = new MeterProvider({ readers: [exporter] })
  metrics.setGlobalMeterProvider(provider)
  const stopWatching = watchProcess()
  return {
    answer: (incoming, outgoing) => exporter.getMetricsRequestHandler(incoming, outgoing),
    async stop() {
      stopWatching()
      await provider.shutdown()
      metrics.disable()
    },
  }
}

/** How large a machine it takes. The names are those of the semantic conventions for processes and Node. */
function watchProcess(): () => void {
  const meter = metrics.getMeter("taskmint")
  const delay = monitorEventLoopDelay({ resolution: 20 })
  delay.enable()
  const cpu = { unit: "s", description: "Time of processors that the process used" }
  meter.createObservableCounter("process.cpu.time", cpu).addCallback((result) => {
    const { user, system } = process.cpuUsage()
    result.observe((user + system) / 1e6)
  })
  const memory = { unit: "By", description: "Memory that the process holds" }
  meter.createObservableGauge("process.memory.usage", memory).addCallback((result) => {
    result.observe(process.memoryUsage.rss())
  })
  const lag = { unit: "s", description: "Delay of the event loop since the last look, 99th percentile" }
  meter.createObservableGauge("nodejs.eventloop.delay.p99", lag).addCallback((result) => {
    const nanoseconds = delay.percentile(99)
    if (Number.isFinite(nanoseconds)) result.observe(nanoseconds / 1e9)
    delay.reset()
  })
  return () => void delay.disable()
}
