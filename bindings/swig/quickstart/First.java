import org.iip.Engine;
import org.iip.EngineOptions;
import org.iip.Event;
import org.iip.Iip;
import org.iip.Loop;
import org.iip.View;

class First {
    static Engine open(String address) { // one end of a wire in memory; a device: setPort("tap:iip0")
        EngineOptions options = new EngineOptions();
        options.setPort("pair:first");
        options.setAddresses(address);
        return Iip.open(options);
    }

    public static void main(String[] args) {
        try (Engine one = open("10.0.0.2/24"); Engine two = open("10.0.0.1/24")) {
            Loop server = one.loop(0);
            Loop client = two.loop(0);
            server.attach(); // this thread owns it
            client.attach();
            server.listen(":7", 0);
            long conn = client.connect("10.0.0.2:7", 0);
            String answer = null;
            while (answer == null) {
                for (Event event : server.turn(100, 0)) { // microseconds to wait at most
                    if (event.type() == Iip.EVENT_DATA) {
                        server.sendEvent(event.src(), event); // its own buffer goes back
                    }
                }
                for (Event event : client.turn(100, 0)) {
                    if (event.type() == Iip.EVENT_CONNECTED) {
                        Iip.send(conn, "hello".getBytes());
                    } else if (event.type() == Iip.EVENT_DATA) {
                        try (View view = event.view()) { // the bytes where they lie
                            answer = java.nio.charset.StandardCharsets.UTF_8.decode(view.bytes()).toString();
                        }
                    }
                }
            }
            System.out.println(answer);
        }
    }
}
