"""Answers in the graph: what a network puts out is decoded, thresholded and thinned by the file
itself, for programs that want boxes and not cells.

The steps are one small ONNX graph for each kind of head (`heads`), which is put behind a network
in ONNX or, read by OpenVINO, in its format (`join`).
"""
