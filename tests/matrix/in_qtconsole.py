"""Run two cells in a qtconsole, answer the second one's question, and print what is shown when it has ended.

The arguments are the cells, the answer, and words that show the end.
"""

import sys
import time

from qtconsole.manager import QtKernelManager
from qtconsole.rich_jupyter_widget import RichJupyterWidget
from qtpy import QtCore, QtWidgets
from qtpy.QtTest import QTest

SECONDS = 60
setup, turn, answer, end = sys.argv[1:]
app = QtWidgets.QApplication([])
manager = QtKernelManager(kernel_name="python3")
manager.start_kernel()
client = manager.client()
client.start_channels()
console = RichJupyterWidget()
console.kernel_manager, console.kernel_client = manager, client
console.show()


def text():
    return console._control.toPlainText()


def until(condition):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, text()
        QTest.qWait(20)


try:
    until(lambda: "In [1]" in text())
    console.execute(setup)
    until(lambda: "In [2]" in text())
    console.execute(turn)
    until(lambda: console._reading)
    QTest.keyClicks(console._control, answer)
    QTest.keyClick(console._control, QtCore.Qt.Key.Key_Return)
    until(lambda: end in text())
    print(text())
finally:
    client.stop_channels()
    manager.shutdown_kernel(now=True)
