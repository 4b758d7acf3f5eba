"""The pack's own ONNX files in onnxruntime, pictures by OpenCV: reads a path a line, writes the faces a line.

`python onnx.py PACK_DIR same|plain`: the same steps as the engine (landmarks twice, the face and its mirror image), or the fewest that give an
embedding (landmarks once, the face only). `python onnx.py PACK_DIR networks`: the networks one by one. One thread.
"""

import json
import sys
import time
import tomllib

import cv2
import numpy as np
import onnxruntime

MIN_SCORE = 0.5
MAX_OVERLAP = 0.5
LEAST_WIDTH_PX = 20
LONG_SIDE_PX = 2560
PADDING = 0.25


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def planes(rgb):
    return np.ascontiguousarray(rgb.transpose(2, 0, 1)[None], dtype=np.float32)


def fit(image, side, centre):
    """The image within a black square; also the scale and the offset that lead there."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    w, h = max(1, round(width * scale)), max(1, round(height * scale))
    square = np.zeros((side, side, 3), np.uint8)
    x, y = ((side - w) // 2, (side - h) // 2) if centre else (0, 0)
    square[y : y + h, x : x + w] = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA)
    return square, (w / width, h / height), (x, y)


class Pipeline:
    def __init__(self, pack, steps):
        with open(f"{pack}/pack.toml", "rb") as file:
            rows = tomllib.load(file)["recogniser"]["reference"]
        self.numbers = [row[0] for row in rows]
        self.places = np.array([[(PADDING + axis) / (1 + 2 * PADDING) * 150 for axis in row[1:]] for row in rows])
        self.twice = steps == "same"
        self.detector, self.landmarks, self.recogniser = (
            session(f"{pack}/{name}.onnx") for name in ("detector", "landmarks", "recogniser")
        )

    def detect(self, image):
        square, scale, _ = fit(image, 512, centre=False)
        boxes, scores = self.detector.run(None, {"image": planes(square)})
        sure = scores[0] > MIN_SCORE
        corners = boxes[0][sure] * 512
        rects = np.column_stack(
            [corners[:, 1] / scale[0], corners[:, 0] / scale[1], corners[:, 3] / scale[0], corners[:, 2] / scale[1]]
        )
        limits = np.array([image.shape[1], image.shape[0]] * 2)
        rects = np.clip(rects, 0, limits)
        rects[:, 2:] -= rects[:, :2]
        kept = cv2.dnn.NMSBoxes(rects.tolist(), scores[0][sure].tolist(), MIN_SCORE, MAX_OVERLAP)
        return rects[np.array(kept, int).reshape(-1)]

    def look(self, image, rect):
        x, y, right, bottom = (
            round(max(0, rect[0])),
            round(max(0, rect[1])),
            round(min(image.shape[1], rect[0] + rect[2])),
            round(min(image.shape[0], rect[1] + rect[3])),
        )
        if right - x < 1 or bottom - y < 1:
            return None
        square, scale, offset = fit(image[y:bottom, x:right], 112, centre=True)
        (points,) = self.landmarks.run(None, {"image": planes(square)})
        return (points.reshape(-1, 2) * 112 - offset) / scale + (x, y)

    def describe(self, image, rect):
        points = self.look(image, rect)
        if points is None:
            return None
        if self.twice:
            low, size = points.min(0), np.ptp(points, 0)
            again = [low[0] - 0.1 * size[0], low[1] - 0.3 * size[1], 1.2 * size[0], 1.35 * size[1]]
            points = self.look(image, again)
            if points is None:
                return None
        turn, _ = cv2.estimateAffinePartial2D(points[self.numbers], self.places, method=cv2.LMEDS)
        if turn is None:
            return None
        chip = cv2.warpAffine(image, turn, (150, 150), flags=cv2.INTER_LINEAR)
        (embedding,) = self.recogniser.run(None, {"image": planes(chip)})
        if self.twice:
            (mirrored,) = self.recogniser.run(None, {"image": planes(chip[:, ::-1])})
            embedding = (embedding + mirrored) / 2
        return embedding

    def faces(self, path):
        image = cv2.imread(path)
        width = image.shape[1]
        long_side = max(image.shape[:2])
        if long_side > LONG_SIDE_PX:
            scale = LONG_SIDE_PX / long_side
            image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        back = width / image.shape[1]
        rects = [rect for rect in self.detect(image) if rect[2] >= LEAST_WIDTH_PX]
        return [(rect * back).tolist() for rect in rects if self.describe(image, rect) is not None]


def networks(pack):
    """Milliseconds of each network: the least of several runs on black."""
    times = {}
    for name, side in (("detector", 512), ("landmarks", 112), ("recogniser", 150)):
        network, black = session(f"{pack}/{name}.onnx"), np.zeros((1, 3, side, side), np.float32)
        runs = []
        for _ in range(20):
            start = time.perf_counter()
            network.run(None, {"image": black})
            runs.append(time.perf_counter() - start)
        times[f"{name}.onnx"] = 1000 * min(runs)
    print(json.dumps(times))


def main():
    cv2.setNumThreads(1)
    pack, steps = sys.argv[1:]
    if steps == "networks":
        return networks(pack)
    pipeline = Pipeline(pack, steps)
    what = "the same steps as ours" if steps == "same" else "landmarks once, no mirror image"
    print(json.dumps({"ready": f"onnxruntime {onnxruntime.__version__}, OpenCV {cv2.__version__}, {what}"}), flush=True)
    for line in sys.stdin:
        print(json.dumps({"faces": pipeline.faces(line.strip())}), flush=True)


main()
