import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;
import java.util.stream.Collectors;
import org.iip.Iip;
import org.iip.Loop;
import org.iip.LoopStats;

/** What the stack counted on one loop, or on several, and the report of it (examples/c/README.md). */
final class Stats {
    private final Map<String, Long> counters = new LinkedHashMap<>();
    private final Map<String, Long> turns = new LinkedHashMap<>();
    private final Map<String, Long> ports = new LinkedHashMap<>();
    private long conns;

    /** The numbers of a loop as of now; its owner asks. */
    static Stats of(Loop loop) {
        Stats made = new Stats();
        LoopStats s = loop.stats();
        String name;
        for (int i = 0; (name = Iip.counterName(i)) != null; i++) {
            made.counters.put(name, loop.counter(name));
        }
        made.conns = s.getConns();
        made.turns.put("turns", s.getTurns());
        made.turns.put("events", s.getEvents());
        made.turns.put("ops", s.getOps());
        made.turns.put("ops_failed", s.getOpsFailed());
        made.turns.put("stale_handles", s.getStaleHandles());
        made.turns.put("spill_copies", s.getSpillCopies());
        made.turns.put("bufs_held", s.getBufsHeld());
        made.turns.put("mem_used", s.getMemUsed());
        made.ports.put("rx_packets", s.getRxPackets());
        made.ports.put("rx_bytes", s.getRxBytes());
        made.ports.put("rx_dropped", s.getRxDropped());
        made.ports.put("tx_packets", s.getTxPackets());
        made.ports.put("tx_bytes", s.getTxBytes());
        made.ports.put("tx_refused", s.getTxRefused());
        made.ports.put("tx_pending", s.getTxPending());
        made.ports.put("wire_lost", s.getWireLost());
        made.ports.put("wire_duplicated", s.getWireDuplicated());
        made.ports.put("handed_over", s.getHandedOver());
        made.ports.put("handed_lost", s.getHandedLost());
        return made;
    }

    void add(Stats other) {
        other.counters.forEach((name, n) -> counters.merge(name, n, Long::sum));
        other.turns.forEach((name, n) -> turns.merge(name, n, Long::sum));
        other.ports.forEach((name, n) -> ports.merge(name, n, Long::sum));
        conns += other.conns;
    }

    long counter(String name) {
        return counters.getOrDefault(name, 0L);
    }

    /** "drop_tcp_csum 3, drop_arp 1": what the stack dropped and why, or "none". */
    String drops() {
        String all = counters.entrySet().stream().filter(e -> e.getKey().startsWith("drop_") && e.getValue() > 0)
            .map(e -> e.getKey() + " " + e.getValue()).collect(Collectors.joining(", "));
        return all.isEmpty() ? "none" : all;
    }

    private static String text(String value) {
        StringBuilder out = new StringBuilder("\"");
        for (char c : value.toCharArray()) {
            out.append(c == '"' || c == '\\' ? "\\" : "").append(c < ' ' ? '?' : c);
        }
        return out.append('"').toString();
    }

    private static String object(Map<String, Long> of) {
        return of.entrySet().stream().map(e -> "\"" + e.getKey() + "\": " + e.getValue())
            .collect(Collectors.joining(", ", "{ ", " }"));
    }

    /** One JSON object. */
    String json(Run run) {
        Map<String, String> all = new LinkedHashMap<>();
        all.put("program", text(run.options.program));
        all.put("version", text(Iip.version()));
        all.put("port", text(run.options.port));
        all.put("addresses", text(String.join(" ", run.options.addresses)));
        all.put("listen", Integer.toString(run.options.listen));
        all.put("seconds", String.format("%.6f", run.seconds()));
        for (Map.Entry<String, LongAdder> e : run.counts.entrySet()) {
            all.put(e.getKey(), Long.toString(e.getValue().sum()));
        }
        all.put("counters", object(counters));
        all.put("conns", Long.toString(conns));
        all.put("turns", object(turns));
        all.put("ports", object(ports));
        return all.entrySet().stream().map(e -> "  \"" + e.getKey() + "\": " + e.getValue())
            .collect(Collectors.joining(",\n", "{\n", "\n}\n"));
    }
}
