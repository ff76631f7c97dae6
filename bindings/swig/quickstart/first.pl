use strict;
use iip;

sub end_of_wire {
    my $options = iip::EngineOptions->new;
    $options->{port} = "pair:first";
    $options->{addresses} = shift;
    my $engine = iip::open($options);
    my $loop = $engine->loop(0);
    $loop->attach;
    return ($engine, $loop);
}

my ($server_engine, $server) = end_of_wire("10.0.0.2/24");
my ($client_engine, $client) = end_of_wire("10.0.0.1/24");
$server->listen(":7", 0);
my $conn = $client->connect("10.0.0.2:7", 0);
my $answer = "";
until ($answer) {
    for my $event ($server->turn(100, 0)->list) {
        $server->send_event($event->src, $event) if $event->type == $iip::EVENT_DATA;
    }
    for my $event ($client->turn(100, 0)->list) {
        iip::send($conn, "hello") if $event->type == $iip::EVENT_CONNECTED;
        $answer = $event->recv if $event->type == $iip::EVENT_DATA;
    }
}
print "$answer\n";
$_->close for $client_engine, $server_engine;
