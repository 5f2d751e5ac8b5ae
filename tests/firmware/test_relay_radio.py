"""A relay's radio: more nodes than peers, a driver that runs dry, made-up senders, packets that vanish."""

from relay.radio import Radio


class Station:
    PM_NONE = 0

    def __init__(self):
        self.starts = 0
        self.channel = None

    def active(self, on):
        self.starts += on

    def config(self, **settings):
        if settings.get("channel", 1) > 11:
            raise OSError("Wifi Invalid Argument")
        self.channel = settings.get("channel", self.channel)


class Driver:
    """espnow.ESPNow, strict about peers; `fails` are the codes that the next sends raise."""

    def __init__(self):
        self.peers_table = {}
        self.peers = []
        self.most_peers = 0
        self.fails = []
        self.sent = []
        self.waiting = []
        self.received = self.dropped = 0
        self.deaf = False
        self.room = 526

    def active(self, on):
        self.peers = []
        self.received = self.dropped = 0

    def config(self, rxbuf):
        self.room = rxbuf

    def add_peer(self, address):
        if address == bytes(6):
            raise OSError(-12390, "ESP_ERR_ESPNOW_ARG")
        assert address not in self.peers and len(self.peers) < 20
        self.peers.append(address)
        self.most_peers = max(self.most_peers, len(self.peers))

    def del_peer(self, address):
        self.peers.remove(address)

    def send(self, address, packet):
        assert address in self.peers
        if self.fails:
            raise OSError(self.fails.pop(0), "ESP_ERR_ESPNOW_NO_MEM")
        self.sent.append((address, packet))
        return True

    def arrive(self, node, packet, rssi_dbm=-60):
        self.received += 1
        self.peers_table[node] = [rssi_dbm, 0]
        self.waiting.append((node, packet))

    def any(self):
        return bool(self.waiting)

    def recv(self, timeout_ms):
        assert timeout_ms == 0, "a relay must not wait here"
        if self.deaf:
            self.waiting.pop(0)
            return None, None
        return self.waiting.pop(0) if self.waiting else (None, None)

    def stats(self):
        return 0, 0, 0, self.received, self.dropped


NO_MEM = -12391


def started(channel=6):
    station, driver = Station(), Driver()
    radio = Radio(station, driver, channel)
    radio.start()
    return station, driver, radio


def node(number):
    return bytes((0x24, 0x0A, 0xC4, 0, number >> 8, number & 255))


def test_any_number_of_nodes_is_reached_over_twenty_peers():
    _, driver, radio = started()
    for _ in range(2):
        for number in range(300):
            assert radio.send(node(number), b"x")
    assert len(driver.sent) == 600 and driver.most_peers == 20 and radio.restarts == 0


def test_a_driver_without_memory_is_started_anew_and_asked_again():
    station, driver, radio = started()
    radio.send(node(1), b"x")
    driver.dropped = 3
    driver.fails = [NO_MEM]
    assert radio.send(node(1), b"y")
    assert radio.restarts == 1 and station.starts == 2 and driver.sent[-1] == (node(1), b"y")
    assert radio.dropped() == 3, "what was counted before the new start is not forgotten"
    assert driver.room > 10000, "the buffer is large again"


def test_a_driver_that_does_not_come_back_ends_in_a_reset():
    _, driver, radio = started()
    for _ in range(5):
        driver.fails = [NO_MEM, NO_MEM]
        try:
            radio.send(node(1), b"x")
        except OSError:
            continue
        raise AssertionError("it was sent")
    driver.fails = [NO_MEM]
    try:
        radio.send(node(1), b"x")
    except RuntimeError:
        return
    raise AssertionError("tried for ever")


def test_a_sender_with_an_impossible_address_costs_no_new_start():
    _, driver, radio = started()
    for _ in range(10):
        try:
            radio.send(bytes(6), b"x")
        except OSError:
            assert radio.restarts == 0
            continue
        raise AssertionError("it was sent")
    assert radio.send(node(1), b"x")


def test_packets_come_with_their_signal_and_the_table_does_not_grow():
    _, driver, radio = started()
    for number in range(100):
        driver.arrive(node(number), b"packet", -70 - number)
        assert radio.receive() == (node(number), max(-128, -70 - number), b"packet")
    assert driver.peers_table == {} and radio.receive() is None and radio.vanished == 0


def test_what_the_driver_had_and_did_not_hand_over_is_counted():
    _, driver, radio = started()
    driver.arrive(node(1), b"one")
    driver.deaf = True
    assert radio.receive() is None
    driver.deaf = False
    assert radio.receive() is None and radio.vanished == 1
    driver.arrive(node(1), b"two")
    assert radio.receive()[2] == b"two"
    assert radio.receive() is None and radio.vanished == 1


def test_a_packet_that_comes_while_counting_has_not_vanished():
    _, driver, radio = started()
    real = driver.stats

    def stats():
        driver.arrive(node(1), b"late")
        driver.stats = real
        return real()

    driver.stats = stats
    assert radio.receive() == (node(1), -60, b"late")
    assert radio.receive() is None and radio.vanished == 0


def test_a_channel_that_nobody_ever_said_or_that_makes_no_sense_is_the_first():
    for channel in (0, -1, 14, 99):
        assert started(channel)[2].channel == 1
    station, _, radio = started(6)
    radio.tune(11)
    assert station.channel == radio.channel == 11
    try:
        radio.tune(13)
    except OSError:
        assert radio.channel == 11
        return
    raise AssertionError("it is not allowed here")
