"""C++, by OpenCV's own runtime for networks."""

from cvtasks.export.samples import Told

_RUN = """
#include <opencv2/dnn.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <cmath>
#include <cstdio>
#include <cstdint>

int main(int count, char** words) {
  cv::Mat image = cv::imread(words[1]), part;
  double scale = std::min(@HEIGHT@.0 / image.rows, @WIDTH@.0 / image.cols);
  int height = std::max(1L, std::lrint(image.rows * scale));
  int width = std::max(1L, std::lrint(image.cols * scale));
  int top = @TOP@, left = @LEFT@;
  bool far = height < 0.5 * image.rows || width < 0.5 * image.cols;
  int how = far ? cv::INTER_AREA : cv::INTER_LINEAR;
  cv::resize(image, part, cv::Size(width, height), 0, 0, how);
  cv::Mat placed(@HEIGHT@, @WIDTH@, CV_8UC3, cv::Scalar::all(@GREY@));
  part.copyTo(placed(cv::Rect(left, top, width, height)));
  cv::cvtColor(placed, placed, cv::COLOR_BGR2RGB);
  placed.convertTo(placed, CV_32F);
  int shape[] = {1, @HEIGHT@, @WIDTH@, 3};
  cv::dnn::Net network = cv::dnn::readNetFromONNX("@FILE@");
  network.setInput(cv::Mat(4, shape, CV_32F, placed.data));
  std::vector<cv::Mat> found;
  network.forward(found, std::vector<cv::String>{@NAMES@});
"""

_CLASSES = """
  const char* classes[] = {@LIST@};
"""

_TELL = {
    "boxes": """
  for (size_t n = 0; n < found[1].total(); n++) {
    const float* box = found[0].ptr<float>() + 4 * n;
    double x = double(image.cols) / width, y = double(image.rows) / height;
    std::printf("%s %.3f [%.1f, %.1f, %.1f, %.1f]\\n", classes[found[2].ptr<int64_t>()[n]],
                found[1].ptr<float>()[n], (box[0] - left) * x, (box[1] - top) * y,
                (box[2] - left) * x, (box[3] - top) * y);
  }
}
""",
    "ids": """
  cv::Mat ids(@HEIGHT@, @WIDTH@, CV_8U, found[0].data);
  cv::Mat inside = ids(cv::Rect(left, top, width, height));
  for (int label = 0; label < @COUNT@; label++)
    if (int pixels = cv::countNonZero(inside == label))
      std::printf("%s %.3f\\n", classes[label], double(pixels) / inside.total());
}
""",
    "scores": """
  for (int n = 0; n < @COUNT@; n++)
    std::printf("%s %.3f\\n", classes[n], found[0].ptr<float>()[n]);
}
""",
    "arrays": """
  for (const cv::Mat& array : found) {
    for (int axis = 0; axis < array.dims; axis++) std::printf("%d ", array.size[axis]);
    std::printf("\\n");
  }
}
""",
}


def code(told: Told) -> str:
    """A program: `g++ sample.cpp $(pkg-config --cflags --libs opencv4) && ./a.out IMAGE`."""
    classes = "" if told.kind == "arrays" else _CLASSES.strip("\n") + "\n"
    text = told.fill(_RUN.lstrip("\n") + classes + _TELL[told.kind].lstrip("\n"))
    for name, value in {
        "NAMES": ", ".join(f'"{one}"' for one in told.outputs),
        "LIST": ", ".join(told.quoted(one) for one in told.recipe.classes),
        "COUNT": str(len(told.recipe.classes)),
    }.items():
        text = text.replace(f"@{name}@", value)
    return text
