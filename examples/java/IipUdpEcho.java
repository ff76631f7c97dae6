import java.io.ByteArrayOutputStream;
import org.iip.Event;
import org.iip.Iip;
import org.iip.IipException;
import org.iip.Op;

/** iip_udp_echo: each datagram goes back to where it came from, from the address that it was sent to. */
final class IipUdpEcho implements Worker {
    private final LoopThread at;
    private final long endpoint;
    private final ByteArrayOutputStream pieces = new ByteArrayOutputStream();
    private int asked; // answers of the next turn

    private IipUdpEcho(LoopThread at) {
        this.at = at;
        endpoint = at.loop.udp(":" + at.run.options.listen, 0);
        at.run.serves();
    }

    /** The turn says of each answer whether it was taken; one that was not is dropped. */
    @Override
    public void before() {
        for (int i = 0; i < asked; i++) {
            at.run.count("refused", at.loop.done(i).getStatus() < 0 ? 1 : 0);
        }
        asked = 0;
    }

    private void answer(Event event, byte[] bytes) {
        Op op = new Op();
        op.setCode(Iip.OP_UDP_SEND_COPY);
        op.setObj(endpoint);
        try {
            at.loop.queue(op, event.localAddr(), event.peerAddr(), bytes);
            asked++;
        } catch (IipException e) { // the next turn is full
            at.run.count("refused", 1);
        }
        at.run.count("datagrams", 1);
        at.run.count("bytes", bytes.length);
    }

    @Override
    public void event(Event event) {
        if (event.type() != Iip.EVENT_UDP) {
            return;
        }
        pieces.writeBytes(event.recv());
        if ((event.flags() & Iip.EVENT_MORE) == 0) {
            answer(event, pieces.toByteArray());
            pieces.reset();
        }
    }

    public static void main(String[] args) throws InterruptedException {
        Options options = new Options("iip_udp_echo", "a UDP echo server", 7);
        options.parse(args);
        new Run(options, "datagrams", "bytes", "refused").serve(IipUdpEcho::new);
    }
}
