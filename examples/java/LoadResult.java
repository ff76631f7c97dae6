/** What the clients of a loop did, or of all loops. */
final class LoadResult {
    long requests; // messages that came back whole; bulk: connections that came to a good end
    long bytes; // of payload, verified or sent
    long errors; // connections that failed or ended early
    long mismatches; // bytes, lengths or answers that were not what they must be
    double seconds; // of the slowest loop
    final Hist latency = new Hist(); // ns

    synchronized void merge(LoadResult other) {
        requests += other.requests;
        bytes += other.bytes;
        errors += other.errors;
        mismatches += other.mismatches;
        seconds = Math.max(seconds, other.seconds);
        latency.merge(other.latency);
    }

    private double us(double part) {
        return latency.at(part) / 1e3;
    }

    /** A table, unless `jsonOnly`, and the JSON line. */
    void report(LoadPlan plan, Stats stats, String port, boolean jsonOnly) {
        seconds = Math.max(seconds, 1e-9);
        if (!jsonOnly) {
            table(plan, stats, port);
        }
        System.out.printf("{\"requests\": %d, \"requests_per_s\": %.1f, \"bytes\": %d, \"bytes_per_s\": %.1f, "
            + "\"seconds\": %.6f, \"errors\": %d, \"mismatches\": %d, \"p50_us\": %.3f, \"p90_us\": %.3f, "
            + "\"p99_us\": %.3f, \"p999_us\": %.3f, \"max_us\": %.3f, \"retransmits\": %d}%n", requests,
            requests / seconds, bytes, bytes / seconds, seconds, errors, mismatches, us(.5), us(.9), us(.99), us(.999),
            latency.max / 1e3, stats.counter("tcp_retrans"));
    }

    private void table(LoadPlan plan, Stats stats, String port) {
        System.out.printf("port          %s%n", port);
        System.out.printf("connections   %d%n", plan.conns);
        System.out.printf("requests      %d in %.3f s, %.0f/s%n", requests, seconds, requests / seconds);
        System.out.printf("payload       %d bytes, %.3f Gbit/s%n", bytes, bytes * 8 / seconds / 1e9);
        if (latency.n > 0) {
            System.out.printf("latency [us]  p50 %.1f  p90 %.1f  p99 %.1f  p99.9 %.1f  max %.1f%n", us(.5), us(.9),
                us(.99), us(.999), latency.max / 1e3);
        }
        System.out.printf("errors        %d, mismatches %d%n", errors, mismatches);
        System.out.printf("retransmits   %d%n", stats.counter("tcp_retrans"));
        System.out.printf("dropped       %s%n", stats.drops());
    }
}
