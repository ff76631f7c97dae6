import java.lang.reflect.Proxy;

/** Signals of the system; the classes for them are not of the language's own, hence the reflection. */
final class Signals {
    private Signals() {}

    /** Has `run` called in a thread of its own whenever the signal comes: "TERM", "INT", "USR1". */
    static void on(String name, Runnable run) {
        try {
            Class<?> signal = Class.forName("sun.misc.Signal");
            Class<?> handler = Class.forName("sun.misc.SignalHandler");
            Class<?>[] is = {handler};
            Object proxy = Proxy.newProxyInstance(handler.getClassLoader(), is, (self, method, args) -> {
                switch (method.getName()) {
                    case "handle" -> run.run();
                    case "hashCode" -> {
                        return System.identityHashCode(self);
                    }
                    case "equals" -> {
                        return self == args[0];
                    }
                    default -> {
                        return "signal " + name;
                    }
                }
                return null;
            });
            Object made = signal.getConstructor(String.class).newInstance(name);
            signal.getMethod("handle", signal, handler).invoke(null, made, proxy);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("this Java has no signals", e);
        }
    }
}
