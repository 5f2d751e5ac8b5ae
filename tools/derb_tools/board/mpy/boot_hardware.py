"""Builds the board that one wake runs on, and puts the fake modules in the place of the laptop's."""

import random
import sys

import dev_hcsr04
import dev_lis3dh
import dev_lis3mdl
import dev_uart_ranger
import recording
import sim_adc
import sim_console
import sim_datagram
import sim_esp32
import sim_espnow
import sim_hosts
import sim_i2c
import sim_machine
import sim_network
import sim_nvs
import sim_onewire
import sim_os
import sim_pin
import sim_rtc
import sim_select
import sim_socket
import sim_time
import sim_uart
import simclock
import simflash
import simpins

_ROOM_TEMP_C100 = 2500

_MODULES = {
    "esp32": sim_esp32,
    "espnow": sim_espnow,
    "machine": sim_machine,
    "network": sim_network,
    "onewire": sim_onewire,
    "os": sim_os,
    "select": sim_select,
    "socket": sim_socket,
    "time": sim_time,
}


def build(wake):
    """Returns (clock, flash) for the JSON that the supervisor gave."""
    clock = simclock.Clock(
        wake["street_ms"], wake["rtc_us"], wake["speed"], wake["boot_ms"], wake["cut_at_ms"]
    )
    meter = simflash.Meter(clock, wake["cut_at_write"], wake["cut_mode"])
    random.seed(wake["random_seed"])  # the ESP32 takes a true random one; here each wake can be repeated
    files = wake["files"]
    pins = simpins.Pins(clock)
    clock.next_edge_us = pins.next_edge_us
    node_id = bytes.fromhex(wake["node_id"])
    sim_pin.setup(pins)
    sim_i2c.setup(clock)
    sim_time.setup(clock, wake["ticks_start_ms"])
    sim_nvs.setup(open(files["nvs"], "r+b"), meter)
    sim_rtc.setup(clock, open(files["rtc"], "r+b"))
    sim_uart.setup(wake["uart_in"], clock)
    sim_onewire.setup(clock)
    sim_network.setup(clock, wake["site"], node_id)
    sim_hosts.setup(clock, wake["hosts"], wake["faults"], wake["network_speed"])
    sim_socket.setup(clock)
    sim_datagram.setup(clock)
    sim_select.setup(clock)
    sim_espnow.setup(clock, node_id, wake["air_port"], wake["faults"])
    sim_esp32.setup(pins, _wire(wake["wiring"], pins, clock))
    boot = {"node_id": node_id, "reset_cause": wake["reset_cause"], "wake_reason": wake["wake_reason"]}
    sim_machine.setup(clock, pins, sim_esp32.wake_sources, boot)
    flash = simflash.Flash(open(files["flash"], "r+b"), meter)
    _install()
    if wake["console"]:
        sys.modules["sys"] = sim_console.Sys(sim_console.Console(wake["console"]))
    return clock, flash


def _wire(wiring, pins, clock):
    """Put the sensors on their pins; returns a callable that tells the temperature around the board."""
    warm = None
    for part in wiring:
        device = _WIRE[part["part"]](part, pins)
        if device:
            warm = device
    if warm is None:
        return lambda: _ROOM_TEMP_C100
    return lambda: warm.temp_c100(clock.street_now_us())


def _wire_lis3mdl(part, pins):
    field = recording.MagRecording(open(part["recording"], "rb"), part["start_ms"])
    chip = dev_lis3mdl.Lis3mdl(
        part["address"], field, open(part["state"], "r+b"), part["noise_nt"], part["seed"]
    )
    if part["answers"]:
        sim_i2c.wire(part["scl"], part["sda"], chip)
    if part["int_pin"] is not None:
        pins.line(part["int_pin"]).driver = chip
    return chip


def _wire_hcsr04(part, pins):
    ranger = dev_hcsr04.HcSr04(recording.EchoRecording(open(part["recording"], "rb"), part["start_ms"]))
    if part["answers"]:
        pins.line(part["trig"]).listener = ranger.triggered
        pins.line(part["echo"]).driver = ranger
    else:
        pins.line(part["echo"]).driver = _Level([], 0)
    return ranger


def _wire_lis3dh(part, pins):
    chip = dev_lis3dh.Lis3dh(part["address"], part["course"], open(part["state"], "r+b"))
    if part["answers"]:
        sim_i2c.wire(part["scl"], part["sda"], chip)
    if part["int_pin"] is not None:
        pins.line(part["int_pin"]).driver = chip


def _wire_uart_ranger(part, pins):
    echoes = recording.EchoRecording(open(part["recording"], "rb"), part["start_ms"])
    ranger = dev_uart_ranger.UartRanger(part["kind"], echoes, part["power"] is None)
    if part["power"] is not None:
        pins.line(part["power"]).listener = ranger.power
    if part["answers"]:
        sim_uart.wire(part["rx"], ranger)
    return ranger


def _wire_ds18b20(part, pins):
    thermometer = sim_onewire.Ds18b20(part["course"])
    if part["answers"]:
        sim_onewire.wire(part["pin"], thermometer)


def _wire_battery(part, pins):
    sim_adc.wire(part["pin"], part["mv"])


def _wire_level(part, pins):
    pins.line(part["pin"]).driver = _Level(part["changes"], part["at_rest"])


class _Level:
    """A pin driven from outside at known times: a button, a reed contact."""

    def __init__(self, changes, at_rest):
        self._changes = changes  # [street_ms, level], in order
        self._at_rest = at_rest

    def level(self, street_us):
        level = self._at_rest
        for ms, changed in self._changes:
            if ms * 1000 <= street_us:
                level = changed
        return level

    def next_edge_us(self, from_us, to_us):
        level = self.level(from_us)
        for ms, changed in self._changes:
            if from_us < ms * 1000 <= to_us and changed != level:
                return ms * 1000
        return None


_WIRE = {
    "lis3mdl": _wire_lis3mdl,
    "lis3dh": _wire_lis3dh,
    "hcsr04": _wire_hcsr04,
    "uart_ranger": _wire_uart_ranger,
    "ds18b20": _wire_ds18b20,
    "battery": _wire_battery,
    "level": _wire_level,
}


def _install():
    for name in list(sys.modules):
        if name != "__main__":
            del sys.modules[name]  # the firmware must not find the simulator's own modules
    for name, module in _MODULES.items():
        sys.modules[name] = module
        sys.modules["u" + name] = module
