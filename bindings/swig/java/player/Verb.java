import java.util.Map;
import java.util.Set;
import org.iip.Iip;

/** An operation, and what the words behind the object's name are; {@code makes}: it makes the object. */
record Verb(int code, String args, boolean makes) {
    static final Map<String, Verb> VERBS = Map.ofEntries(
        Map.entry("connect", new Verb(Iip.OP_CONNECT, "P", true)),
        Map.entry("listen", new Verb(Iip.OP_LISTEN, "LN", true)),
        Map.entry("udp", new Verb(Iip.OP_UDP_OPEN, "LP", true)),
        Map.entry("timer", new Verb(Iip.OP_TIMER, "A", true)),
        Map.entry("timerat", new Verb(Iip.OP_TIMER, "W", true)),
        Map.entry("send", new Verb(Iip.OP_SEND_COPY, "NS", false)),
        Map.entry("sendbuf", new Verb(Iip.OP_SEND_BUF, "N", false)),
        Map.entry("forward", new Verb(Iip.OP_SEND_BUF, "B", false)),
        Map.entry("extern", new Verb(Iip.OP_SEND_EXTERN, "RAN", false)),
        Map.entry("udpsend", new Verb(Iip.OP_UDP_SEND_COPY, "PN", false)),
        Map.entry("udpforward", new Verb(Iip.OP_UDP_SEND, "PB", false)),
        Map.entry("user", new Verb(Iip.OP_USER, "U", false)),
        Map.entry("credit", new Verb(Iip.OP_CREDIT, "N", false)),
        Map.entry("shutdown", new Verb(Iip.OP_SHUTDOWN, "", false)),
        Map.entry("close", new Verb(Iip.OP_CLOSE, "", false)),
        Map.entry("abort", new Verb(Iip.OP_ABORT, "", false)),
        Map.entry("cancel", new Verb(Iip.OP_CANCEL, "", false)),
        Map.entry("set", new Verb(Iip.OP_SET, "OA", false)),
        Map.entry("urgent", new Verb(Iip.OP_URGENT, "", false)));
    static final Set<Integer> SENDS = Set.of(Iip.OP_SEND_BUF, Iip.OP_SEND_EXTERN, Iip.OP_SEND_COPY);
}
