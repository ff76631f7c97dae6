import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.iip.Engine;
import org.iip.EngineOptions;
import org.iip.Event;
import org.iip.Events;
import org.iip.Iip;
import org.iip.Loop;
import org.iip.Op;
import org.iip.View;

/** What a crossing costs from Java, in nanoseconds: the best of fifteen runs each, the first of which warm up. */
final class FfiBench {
    private static Engine open(String address) {
        EngineOptions options = new EngineOptions();
        options.setPort("pair:ffi");
        options.setAddresses(address);
        return Iip.open(options);
    }

    /** {@code times} runs of work(prepare()), of which only work is timed; per run and unit. */
    private static <T> void row(String name, int times, int units, Supplier<T> prepare, Consumer<T> work) {
        double least = Double.MAX_VALUE;
        for (int run = 0; run < 15; run++) {
            long spent = 0;
            for (int i = 0; i < times; i++) {
                T given = prepare.get();
                long start = System.nanoTime();
                work.accept(given);
                spent += System.nanoTime() - start;
            }
            least = Math.min(least, spent);
        }
        System.out.printf("%-34s %8.0f ns%n", name, least / times / units);
    }

    private static Supplier<Void> replies(Loop loop, int n) {
        Op op = new Op();
        op.setCode(Iip.OP_NOP);
        op.setFlags(Iip.OP_REPLY);
        return () -> {
            for (int i = 0; i < n; i++) {
                loop.post(op);
            }
            return null;
        };
    }

    /** 32 datagrams that have arrived. */
    private static List<Event> datagrams(Loop here, Loop there, long from) {
        List<Event> events = new ArrayList<>();
        while (events.size() < 32) {
            if (events.isEmpty()) {
                for (int i = 0; i < 32; i++) {
                    Iip.udpSend(from, "10.0.0.2:2", new byte[1400]);
                }
            }
            here.turn(0, 0);
            for (Event event : there.turn(0, 0)) {
                if (event.type() == Iip.EVENT_UDP) {
                    events.add(event);
                }
            }
        }
        return events;
    }

    public static void main(String[] args) {
        try (Engine one = open("10.0.0.1/24"); Engine two = open("10.0.0.2/24")) {
            Loop here = one.loop(0);
            Loop there = two.loop(0);
            here.attach();
            there.attach();
            long from = here.udp("10.0.0.1:1", 0);
            there.udp("10.0.0.2:2", 0);
            Iip.udpSend(from, "10.0.0.2:2", new byte[1]); // it waits for its neighbour's address
            while (here.turn(1000, 0).count() + there.turn(1000, 0).count() < 1) { }
            Supplier<List<Event>> arrived = () -> datagrams(here, there, from);
            row("nop", 1000, 1, () -> null, x -> Iip.abiVersion());
            row("turn without events", 1000, 1, () -> null, x -> here.turn(0, 0));
            row("turn with 1 event", 300, 1, replies(here, 1), x -> all(here.turn(0, 0)));
            row("turn with 64 events, each", 300, 64, replies(here, 64), x -> all(here.turn(0, 0)));
            row("a field of an event", 50, 32, arrived, events -> events.forEach(Event::type));
            row("recv of 1400 bytes", 50, 32, arrived, events -> events.forEach(Event::recv));
            row("view and close", 50, 32, arrived, events -> events.forEach(event -> {
                try (View view = event.view()) {
                    view.bytes();
                }
            }));
            row("release", 50, 32, arrived, events -> events.forEach(Event::release));
        }
    }

    private static void all(Events events) {
        for (Event event : events) {
            event.type();
        }
    }
}
