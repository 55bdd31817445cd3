import type { Quantity, SampledData } from '@medplum/fhirtypes';

const MOST_DECIMALS = 9;

/**
 * Samples as R4 has them: whole numbers, which `factor` turns back into values (value = origin + factor × number), `period` in milliseconds.
 * What a sensor gave to nine decimals comes back as it was.
 */
export function sampledDataOf(samples: readonly number[], origin: Quantity, rateHz: number): SampledData {
  const decimals = Math.min(MOST_DECIMALS, Math.max(...samples.map(decimalsOf)));
  const scale = 10 ** decimals;
  const { value: _, ...unit } = origin;
  return {
    origin: { value: 0, ...unit },
    period: Number((1000 / rateHz).toPrecision(12)),
    factor: Number((1 / scale).toFixed(decimals)),
    dimensions: 1,
    data: samples.map((sample) => String(Math.round(sample * scale))).join(' '),
  };
}

function decimalsOf(value: number): number {
  const [mantissa = '', exponent = '0'] = String(value).toLowerCase().split('e');
  return Math.max(0, (mantissa.split('.')[1]?.length ?? 0) - Number(exponent));
}
