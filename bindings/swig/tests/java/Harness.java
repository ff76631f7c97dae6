import java.nio.charset.StandardCharsets;
import java.util.concurrent.Callable;
import java.util.function.BiFunction;
import org.iip.Engine;
import org.iip.EngineOptions;
import org.iip.Event;
import org.iip.Iip;
import org.iip.IipException;
import org.iip.Loop;

/** What the tests share: pairs in memory, and what they expect. Static methods without parameters are the tests. */
abstract class Harness {
    static int pairs;

    /** One end of a pair, owned by the thread that made it. */
    static final class Side implements AutoCloseable {
        final Engine engine;
        final Loop loop;

        Side(EngineOptions options) {
            engine = Iip.open(options);
            loop = engine.loop(0);
            loop.attach();
        }

        @Override
        public void close() {
            engine.close();
        }
    }

    static EngineOptions options(String address) {
        EngineOptions options = new EngineOptions();
        options.setPort("pair:java" + pairs);
        options.setAddresses(address);
        return options;
    }

    static Side[] pair() {
        pairs++;
        return new Side[] {new Side(options("10.0.0.1/24 fd00::1/64")), new Side(options("10.0.0.2/24 fd00::2/64"))};
    }

    static void close(Side... sides) {
        for (Side side : sides) {
            side.close();
        }
    }

    /** Turns both ends until pick answers something for one event; null when nothing came for long. */
    static <T> T run(Side[] sides, BiFunction<Event, Side, T> pick) {
        long limit = System.nanoTime() + 60_000_000_000L;
        while (System.nanoTime() < limit) {
            for (Side side : sides) {
                T found = null;
                for (Event event : side.loop.turn(100, 0)) {
                    if (found == null) {
                        found = pick.apply(event, side);
                    }
                }
                if (found != null) {
                    return found;
                }
            }
        }
        return null;
    }

    /** A connection: the handles of the client's and of the server's end. */
    static long[] connect(Side[] sides, String where) {
        long[] ends = new long[2];
        sides[1].loop.listen(":7", 5);
        sides[0].loop.connect(where, 6);
        run(sides, (event, side) -> {
            switch (event.type()) {
                case Iip.EVENT_CONNECTED -> ends[0] = event.src();
                case Iip.EVENT_ACCEPT -> ends[1] = event.src();
                default -> { }
            }
            return ends[0] != 0 && ends[1] != 0 ? ends : null;
        });
        return ends;
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** The next DATA event of a side. */
    static Event data(Side[] sides, Side which) {
        return run(sides, (event, side) -> side == which && event.type() == Iip.EVENT_DATA ? event : null);
    }

    static void check(boolean is, Object what) {
        if (!is) {
            throw new AssertionError(what);
        }
    }

    static IipException fails(int status, Callable<?> call) {
        try {
            Object result = call.call();
            throw new AssertionError("it did not fail but returned " + result);
        } catch (IipException e) {
            check(e.status() == status, e);
            check(e.statusName().equals(Iip.statusName(status)) && e.errno() > 0, e.statusName());
            check(e.getMessage().startsWith(e.statusName() + ": "), e.getMessage());
            return e;
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    /** Has garbage collected until what() holds. */
    static void collectUntil(Callable<Boolean> what) throws Exception {
        long limit = System.nanoTime() + 60_000_000_000L;
        while (!what.call()) {
            check(System.nanoTime() < limit, "the collector does not come to it");
            System.gc();
            Thread.sleep(5);
        }
    }
}
