/**
 * Latencies in little memory: values below 64 have a bucket each; above, the six bits behind the highest one choose
 * within its power of two.
 */
final class Hist {
    private static final int SUB_BITS = 6;
    private final long[] buckets = new long[64 << SUB_BITS];
    long n;
    long max;

    private static int bucket(long value) {
        if (value < 1L << SUB_BITS) {
            return (int) value;
        }
        int shift = 63 - Long.numberOfLeadingZeros(value) - SUB_BITS;
        return (shift << SUB_BITS) + (int) (value >> shift);
    }

    private static long highest(int bucket) {
        if (bucket < 2 << SUB_BITS) {
            return bucket;
        }
        int shift = (bucket >> SUB_BITS) - 1;
        return (bucket - ((long) shift << SUB_BITS) + 1 << shift) - 1;
    }

    void add(long value) {
        buckets[bucket(value)]++;
        n++;
        max = Math.max(max, value);
    }

    void merge(Hist other) {
        for (int i = 0; i < buckets.length; i++) {
            buckets[i] += other.buckets[i];
        }
        n += other.n;
        max = Math.max(max, other.max);
    }

    /** The value that `part` of all values do not exceed. */
    long at(double part) {
        long seen = 0;
        for (int i = 0; i < buckets.length && n > 0; i++) {
            seen += buckets[i];
            if (seen >= part * n) {
                return Math.min(highest(i), max);
            }
        }
        return 0;
    }
}
