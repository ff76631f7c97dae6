import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.iip.Event;
import org.iip.Iip;
import org.iip.Loop;
import org.iip.View;

/** Takes whatever comes as views, and gives them to the keepers. */
final class Receiver {
    private static final class Conn {
        long id;
        long at;
    }

    private final Loop loop;
    private final Keepers keepers;
    private final Random random;
    private final Map<Long, Conn> conns = new HashMap<>();
    long received;
    long releaseFailed;

    Receiver(Loop loop, Keepers keepers, long seed) {
        this.loop = loop;
        this.keepers = keepers;
        random = new Random(seed);
        loop.listen(":7", 0);
    }

    private void data(Conn conn, Event event) {
        View view = event.view();
        if (conn.at == 0) {
            conn.id = Content.id(view.bytes());
        }
        long length = event.len();
        keepers.give(view, conn.id, conn.at, random);
        conn.at += length;
        received += length;
    }

    private void look(Event event) {
        switch (event.type()) {
            case Iip.EVENT_ACCEPT -> conns.put(event.src(), new Conn());
            case Iip.EVENT_DATA -> data(conns.get(event.src()), event);
            case Iip.EVENT_FIN -> Iip.handleClose(event.src());
            case Iip.EVENT_CLOSED -> conns.remove(event.src());
            default -> { }
        }
    }

    /** One turn; whether there are connections. */
    boolean turn() {
        for (Event event : loop.turn(1000, 0)) {
            look(event);
        }
        releaseFailed += loop.releaseFailed();
        return !conns.isEmpty();
    }
}
