/** What measures calls: OpenTelemetry's instruments. */
import type { Counter, Histogram, MeterProvider } from "@opentelemetry/api";
import { VERSION } from "../version.ts";
import { METRICS, OWN_METRICS } from "./semantic-conventions.ts";

/** By what name this library makes spans and metrics. */
export const SCOPE = "lambda-requests";

// Seconds: https://opentelemetry.io/docs/specs/semconv/http/http-metrics/#metric-httpclientrequestduration
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** The metrics of one provider. */
export interface Instruments {
  readonly duration: Histogram;
  readonly retries: Counter;
}

/** Made anew when the provider is another: before the global one is set, nothing stands in its place, as with spans. */
export function instrumentsOf(provider: () => MeterProvider): () => Instruments {
  let from: MeterProvider | undefined;
  let made: Instruments | undefined;
  return () => {
    const current = provider();
    if (made === undefined || current !== from) made = makeInstruments(current);
    from = current;
    return made;
  };
}

function makeInstruments(provider: MeterProvider): Instruments {
  const meter = provider.getMeter(SCOPE, VERSION);
  return {
    duration: meter.createHistogram(METRICS.duration, {
      description: "Duration of HTTP client requests.",
      unit: "s",
      advice: { explicitBucketBoundaries: BUCKETS },
    }),
    retries: meter.createCounter(OWN_METRICS.retries, { description: "Attempts after the first.", unit: "{retry}" }),
  };
}
