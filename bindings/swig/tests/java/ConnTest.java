import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Random;
import org.iip.EngineOptions;
import org.iip.Event;
import org.iip.Iip;
import org.iip.LoopStats;
import org.iip.Op;

/** Connections, datagrams, and what can be asked of them. */
final class ConnTest extends Harness {
    static void echoOverAPair() {
        Side[] sides = pair();
        long[] ends = connect(sides, "10.0.0.2:7");
        byte[] text = new byte[500];
        new Random(7).nextBytes(text);
        check(Iip.send(ends[0], text) == text.length, "taken");
        byte[] back = run(sides, (event, side) -> {
            if (event.type() != Iip.EVENT_DATA) {
                return null;
            }
            if (side == sides[0]) {
                return event.recv();
            }
            check(event.user() == 5 && event.len() == text.length, event.len());
            check(side.loop.sendEvent(event.src(), event) == 1, "the buffer itself goes back");
            fails(Iip.E_STALE, event::recv);
            return null;
        });
        check(Arrays.equals(back, text), "bytes");
        close(sides);
    }

    static void partialSends() {
        pairs++;
        EngineOptions small = options("10.0.0.1/24");
        small.setTunables("tcp.sndbuf=8192");
        Side[] sides = {new Side(small), new Side(options("10.0.0.2/24"))};
        long[] ends = connect(sides, "10.0.0.2:7");
        byte[] text = new byte[200_000];
        new Random(8).nextBytes(text);
        int[] sent = {Iip.send(ends[0], text), 0};
        check(sent[0] > 0 && sent[0] < text.length, sent[0]);
        ByteArrayOutputStream got = new ByteArrayOutputStream();
        run(sides, (event, side) -> {
            if (event.type() == Iip.EVENT_WRITABLE) {
                sent[0] += Iip.send(ends[0], Arrays.copyOfRange(text, sent[0], text.length));
                sent[1]++;
            } else if (event.type() == Iip.EVENT_DATA) {
                got.writeBytes(event.recv());
            }
            return got.size() == text.length ? got : null;
        });
        check(sent[1] > 1 && Arrays.equals(got.toByteArray(), text), sent[1]);
        close(sides);
    }

    static void staleAndForeignHandles() {
        Side[] sides = pair();
        long[] ends = connect(sides, "10.0.0.2:7");
        Iip.connAbort(ends[0]);
        int status = run(sides, (event, side) ->
            side == sides[0] && event.type() == Iip.EVENT_CLOSED ? (Integer) event.status() : null);
        check(status == Iip.E_ABORTED, status);
        for (long handle : new long[] {ends[0], 0, -1, 1L << 52 | 12345, Long.MAX_VALUE}) {
            fails(Iip.E_STALE, () -> Iip.send(handle, bytes("x")));
        }
        close(sides);
        fails(Iip.E_STALE, () -> Iip.send(ends[1], bytes("x")));
    }

    static void udpAndAddressesOfSix() {
        Side[] sides = pair();
        long to = sides[1].loop.udp(":53", 9);
        long from = sides[0].loop.udp("[fd00::1]:5300", 0);
        Iip.udpSend(from, "[fd00::2]:53", bytes("query"));
        Event event = run(sides, (e, side) -> e.type() == Iip.EVENT_UDP ? e : null);
        check(event.src() == to && event.user() == 9 && event.peerAddr().equals("[fd00::1]:5300"), event.peerAddr());
        check(event.localAddr().equals("[fd00::2]:53"), event.localAddr());
        check(new String(event.recv(), StandardCharsets.UTF_8).equals("query"), "bytes");
        long[] ends = connect(sides, "[fd00::2]:7");
        check(Iip.connInfo(ends[1]).localAddr().equals("[fd00::2]:7"), "local");
        check(Iip.connInfo(ends[1]).getState() == Iip.CONN_ESTABLISHED, "state");
        close(sides);
    }

    static void countersAndStatistics() {
        Side[] sides = pair();
        long[] ends = connect(sides, "10.0.0.2:7");
        LoopStats stats = sides[1].loop.stats();
        check(stats.getConns() == 1 && stats.getTurns() > 0 && stats.getRxPackets() > 0, stats.getRxPackets());
        check(sides[1].loop.counter("rx_packets") == stats.getRxPackets(), "counter");
        fails(Iip.E_NOT_FOUND, () -> sides[1].loop.counter("no_such_counter"));
        check(sides[1].loop.connAfter(0) == ends[1] && sides[1].loop.connAfter(ends[1]) == 0, "conns");
        check(sides[1].engine.info().getConns() == 1 && sides[1].engine.log() == null, "info");
        Iip.connSet(ends[0], Iip.OPT_NODELAY, 1);
        check(Iip.connGet(ends[0], Iip.OPT_NODELAY) == 1, "option");
        close(sides);
    }

    static void optionsAndArguments() {
        EngineOptions options = new EngineOptions();
        fails(Iip.E_INVAL, () -> Iip.open(options));
        fails(Iip.E_INVAL, () -> Iip.open(null));
        options.setPort("nosuch:x");
        check(fails(Iip.E_NO_DEVICE, () -> Iip.open(options)).getMessage().contains("nosuch"), "names the value");
        fails(Iip.E_INVAL, () -> options.setKey(new byte[3]));
        try {
            options.setMtu(-1);
            throw new AssertionError("-1 was taken");
        } catch (IllegalArgumentException e) {
            check(options.getMtu() == 0, "unchanged");
        }
        try {
            Iip.send(0, null);
            throw new AssertionError("null was taken");
        } catch (NullPointerException e) {
            fails(Iip.E_ABI, () -> Iip.abiRequire(99, 0));
        }
    }

    static void timersOnAVirtualClock() {
        EngineOptions options = new EngineOptions();
        options.setPort("sim:java,clock=virtual");
        options.setAddresses("10.0.0.1/24");
        Side side = new Side(options);
        long now = side.loop.now();
        long timer = side.loop.timer(1000, 77);
        side.loop.turn(0, Iip.TURN_DEADLINE);
        check(side.loop.deadline() == now + 1000, side.loop.deadline());
        check(side.engine.advance(1000) == now + 1000, "advanced");
        Event event = side.loop.turn(0, 0).get(0);
        check(event.type() == Iip.EVENT_TIMER && event.src() == timer && event.user() == 77, event.type());
        Op op = new Op();
        op.setCode(Iip.OP_SEND_COPY);
        fails(Iip.E_NOT_SUPPORTED, () -> side.loop.op(op));
        side.close();
    }

    /** The plug-in lies beside libiip in the jar; a port of it opens without hardware. */
    static void dpdkFromTheJar() {
        if (Iip.probe("port.dpdk") == 0) {
            return;
        }
        EngineOptions options = options("10.0.0.1/24");
        options.setPort("dpdk:net_null0");
        Side side = new Side(options);
        side.loop.turn(0, 0);
        check(side.loop.stats().getTurns() == 1, "a turn");
        side.close();
    }
}
